// All keys that may log in to a host, in ssh's order: those of the agent that identity files name, the agent's others
// (unless IdentitiesOnly), then the files that the agent does not hold.
import type { ParsedKey } from "ssh2";
import ssh2 from "ssh2";
import { fingerprint } from "../host-key.js";
import type { ResolvedHost } from "../transport.js";
import { isOfferable, type KeyFile, readKeyFile } from "./key-file.js";

/** A key whose public half is known: it can be offered before anybody is asked for a passphrase. */
export interface Identity {
  /** `agent`, or the path of the file. */
  source: string;
  fingerprint: string;
  publicKey: Buffer;
  sign(data: Buffer, hash: string | undefined): Promise<Buffer>;
}

export type PrivateKeyFile = Extract<KeyFile, { kind: "key" }>;

export interface Identities {
  offered: Identity[];
  /** Encrypted files whose public half nothing tells. */
  closed: PrivateKeyFile[];
  /** What could not be used, for the message when all else fails. */
  notes: string[];
  unreadable: { file: string; reason: string }[];
}

/** Opens an encrypted file or throws what ends the attempt with it. */
export type Unlock = (file: PrivateKeyFile) => Promise<ParsedKey>;

export async function collectIdentities(host: ResolvedHost, unlock: Unlock): Promise<Identities> {
  const notes: string[] = [];
  const [files, agent] = await Promise.all([
    Promise.all(host.identityFiles.map(readKeyFile)),
    agentIdentities(host.agent, notes),
  ]);
  const named = files.flatMap((file) => (file.kind !== "unusable" && file.publicKey ? [file.publicKey] : []));
  const isNamed = (identity: Identity) => named.some((key) => key.equals(identity.publicKey));
  const fromAgent = [...agent.filter(isNamed), ...(host.identitiesOnly ? [] : agent.filter((each) => !isNamed(each)))];

  const fromFiles: Identity[] = [];
  const closed: PrivateKeyFile[] = [];
  const unreadable: Identities["unreadable"] = [];
  for (const file of files) {
    if (file.kind === "unusable") {
      if (file.unreadable) unreadable.push({ file: file.file, reason: file.reason });
      else notes.push(`${file.file}: ${file.reason}`);
    } else if (file.kind === "key" && file.publicKey === undefined) {
      closed.push(file);
    } else if (file.publicKey !== undefined && !fromAgent.some((each) => file.publicKey?.equals(each.publicKey))) {
      if (file.kind === "public") notes.push(`${file.file}: the agent does not have its private half`);
      else if (!isOfferable(file.publicKey)) notes.push(`${file.file}: ssh2 cannot use this kind of key`);
      else fromFiles.push(fileIdentity(file, file.publicKey, unlock));
    }
  }
  return { offered: [...fromAgent, ...fromFiles], closed, notes, unreadable };
}

function fileIdentity(file: PrivateKeyFile, publicKey: Buffer, unlock: Unlock): Identity {
  return {
    source: file.file,
    fingerprint: fingerprint(publicKey),
    publicKey,
    async sign(data, hash) {
      const signature: Buffer | Error = (await unlock(file)).sign(data, hash);
      if (signature instanceof Error) throw signature;
      return signature;
    },
  };
}

/** An agent that does not answer is a note, as for ssh: a file may do. */
function agentIdentities(socket: string | undefined, notes: string[]): Promise<Identity[]> {
  if (socket === undefined) return Promise.resolve([]);
  const agent = new ssh2.OpenSSHAgent(socket);
  return new Promise((resolve) => {
    agent.getIdentities((error, keys) => {
      if (error || keys === undefined) {
        notes.push(`the agent at ${socket} does not answer`);
        resolve([]);
        return;
      }
      resolve(
        keys.flatMap((each) => {
          const key: ParsedKey = each instanceof Object && "pubKey" in each ? (each.pubKey as ParsedKey) : each;
          const publicKey = key.getPublicSSH();
          return isOfferable(publicKey) ? [agentIdentity(agent, key, publicKey)] : [];
        }),
      );
    });
  });
}

function agentIdentity(agent: InstanceType<typeof ssh2.OpenSSHAgent>, key: ParsedKey, publicKey: Buffer): Identity {
  return {
    source: "agent",
    fingerprint: fingerprint(publicKey),
    publicKey,
    sign: (data, hash) =>
      new Promise((resolve, reject) => {
        const options = hash === undefined ? {} : { hash: hash as "sha256" | "sha512" };
        agent.sign(key, data, options, (error, signature) => {
          if (error || signature === undefined) reject(error ?? new Error("the agent did not sign"));
          else resolve(signature);
        });
      }),
  };
}
