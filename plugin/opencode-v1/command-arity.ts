// How many words of a command line name what is run: `git push`, `npm run test`, `ls`. "Allow always" remembers that much.
// The words are the built-in's (OpenCode 1.18.33, MIT), so that an answer means the same here and there.

/** Two words unless listed otherwise; a command that stands nowhere counts one. */
const TWO = `bazel brew bun cargo cdk cf cmake composer consul crictl deno docker eksctl firebase flyctl git go gradle helm heroku
 hugo ip kind kubectl kustomize make mc minikube mongosh mysql mvn ng npm nvm nx openssl pip pipenv pnpm poetry podman psql
 pulumi pyenv python rake rbenv redis-cli rustup serverless skaffold sls sst swift systemctl terraform tmux turbo ufw vault
 vercel volta wp yarn`;
const THREE = `aws az doctl gcloud gh sfdx`;
const THREE_AFTER_TWO = `bun run|bun x|cargo add|cargo run|consul kv|deno task|docker builder|docker compose|docker container|docker image|
docker network|docker volume|eksctl create|git config|git remote|git stash|ip addr|ip link|ip netns|ip route|kind create|
kubectl kustomize|kubectl rollout|mc admin|npm exec|npm init|npm run|npm view|openssl req|openssl x509|pnpm dlx|pnpm exec|pnpm run|
podman container|podman image|pulumi stack|terraform workspace|vault auth|vault kv|yarn dlx|yarn run`;

const ARITY = new Map<string, number>([
  ...words(TWO, /\s+/).map((word) => [word, 2] as const),
  ...words(THREE, /\s+/).map((word) => [word, 3] as const),
  ...words(THREE_AFTER_TWO, /\|\s*/).map((word) => [word, 3] as const),
]);

/** The leading words that name what is run. */
export function commandPrefix(tokens: string[]): string[] {
  for (let count = Math.min(tokens.length, 2); count > 0; count--) {
    const arity = ARITY.get(tokens.slice(0, count).join(" "));
    if (arity !== undefined) return tokens.slice(0, arity);
  }
  return tokens.slice(0, 1);
}

function words(text: string, separator: RegExp): string[] {
  return text.trim().split(separator);
}
