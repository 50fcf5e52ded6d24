// Logs in with the keys there are and nothing else: each is offered by its public half first, so a passphrase is asked for
// only when the host would take that key. Never `none` before keys: it costs a round trip.
import type { AnyAuthMethod, AuthHandlerMiddleware, NextAuthHandler, ParsedKey } from "ssh2";
import ssh2 from "ssh2";
import { RemoteError } from "../../../protocol/errors.js";
import { fingerprint } from "../host-key.js";
import type { ResolvedHost } from "../transport.js";
import { destinationOf } from "./errors.js";
import { collectIdentities, type Identities, type Identity, type PrivateKeyFile } from "./identities.js";
import { parsePrivate } from "./key-file.js";

/** As ssh's NumberOfPasswordPrompts. */
const ATTEMPTS = 3;

export interface AuthenticatorOptions {
  askPassphrase?: (identityFile: string) => Promise<string | undefined>;
  /** Around what may take a person's time. */
  unlocking(on: boolean): void;
  /** Ends the attempt. */
  fail(error: RemoteError): void;
}

export class Authenticator {
  readonly #host: ResolvedHost;
  readonly #options: AuthenticatorOptions;
  readonly #collected: Promise<Identities>;
  readonly #steps: AsyncGenerator<AnyAuthMethod, RemoteError>;
  readonly #opened = new Map<string, Promise<ParsedKey>>();
  readonly #tried: { source: string; fingerprint: string }[] = [];
  #accepted: string[] | undefined;
  #needsPassphrase: RemoteError | undefined;

  constructor(host: ResolvedHost, options: AuthenticatorOptions) {
    this.#host = host;
    this.#options = options;
    // read beside the key exchange; failures are told when it is their turn
    this.#collected = collectIdentities(host, (file) => this.#open(file));
    this.#collected.catch(() => undefined);
    this.#steps = this.#methods();
  }

  /** ssh2's `authHandler`. */
  readonly handler: AuthHandlerMiddleware = (methodsLeft, _partial, next: NextAuthHandler) => {
    if (Array.isArray(methodsLeft)) this.#accepted = methodsLeft;
    this.#steps.next().then(
      (step) => {
        if (step.done) this.#options.fail(step.value);
        else next(step.value);
      },
      (error: unknown) => this.#options.fail(this.#asRemote(error)),
    );
  };

  async *#methods(): AsyncGenerator<AnyAuthMethod, RemoteError> {
    const identities = await this.#collected;
    const username = this.#host.user;
    if (identities.offered.length > 0) {
      this.#tried.push(...identities.offered.map(({ source, fingerprint }) => ({ source, fingerprint })));
      const ring = new KeyRing(identities.offered, (error) => this.#signFailed(error));
      yield { type: "agent", username, agent: ring };
    }
    for (const file of identities.closed) {
      const key = await this.#open(file).catch((error: unknown) => this.#signFailed(error));
      if (key === undefined) continue;
      this.#tried.push({ source: file.file, fingerprint: fingerprint(key.getPublicSSH()) });
      yield { type: "publickey", username, key };
    }
    // all is lost: this only makes the host say what it would have taken (ssh2 does not tell after agent keys)
    if (this.#accepted === undefined) yield { type: "none", username };
    return this.#refused(identities);
  }

  #refused(identities: Identities): RemoteError {
    if (this.#needsPassphrase !== undefined) return this.#needsPassphrase;
    const unreadable = identities.unreadable[0];
    if (unreadable !== undefined && this.#tried.length === 0) {
      const message = `identity file ${unreadable.file}: ${unreadable.reason}`;
      return new RemoteError("identity_unreadable", message, { details: unreadable });
    }
    const tried = this.#tried.map((key) => `${key.source} ${key.fingerprint}`);
    const accepts = this.#accepted ?? [];
    const notes = [...identities.notes, ...identities.unreadable.map(({ file, reason }) => `${file}: ${reason}`)];
    const parts = [
      tried.length === 0 ? "no key to try" : `tried ${tried.join(", ")}`,
      ...(accepts.length === 0 ? [] : [`the host accepts ${accepts.join(", ")}`]),
      ...notes,
    ];
    return new RemoteError("auth_failed", `${destinationOf(this.#host)} refused the login: ${parts.join("; ")}`, {
      details: { tried: this.#tried, accepts, notes },
    });
  }

  /** A key that did not open or sign is passed over, unless a wrong passphrase was given for it: that ends it all. */
  #signFailed(error: unknown): undefined {
    const remote = error instanceof RemoteError ? error : undefined;
    if (remote?.code === "passphrase_required") this.#needsPassphrase ??= remote;
    else if (remote !== undefined) this.#options.fail(remote);
    return undefined;
  }

  #asRemote(error: unknown): RemoteError {
    if (error instanceof RemoteError) return error;
    return new RemoteError("internal", "the login failed unexpectedly", { cause: error });
  }

  /** The private half; each file is asked for once, whoever needs it. Typing and bcrypt take the time they take. */
  async #open(file: PrivateKeyFile): Promise<ParsedKey> {
    const opened = this.#opened.get(file.file) ?? this.#unlock(file);
    this.#opened.set(file.file, opened);
    this.#options.unlocking(true);
    try {
      return await opened;
    } finally {
      this.#options.unlocking(false);
    }
  }

  async #unlock(file: PrivateKeyFile): Promise<ParsedKey> {
    const details = { file: file.file };
    if (!file.encrypted) {
      const key = parsePrivate(file.text);
      if (key !== undefined) return key;
      throw new RemoteError("identity_unreadable", `identity file ${file.file}: damaged`, { details });
    }
    for (let attempt = 1; ; attempt++) {
      const passphrase = await this.#options.askPassphrase?.(file.file);
      if (passphrase === undefined) {
        throw new RemoteError("passphrase_required", `identity file ${file.file} is protected by a passphrase`, {
          details,
        });
      }
      const key = parsePrivate(file.text, passphrase);
      if (key !== undefined) return key;
      if (attempt === ATTEMPTS) {
        throw new RemoteError("passphrase_wrong", `identity file ${file.file}: wrong passphrase`, { details });
      }
    }
  }
}

/** Shows our identities to ssh2 as one agent: the only interface it has whose signing may take its time. */
class KeyRing extends ssh2.BaseAgent<Buffer> {
  readonly #identities: Identity[];
  readonly #failed: (error: unknown) => void;

  constructor(identities: Identity[], failed: (error: unknown) => void) {
    super();
    this.#identities = identities;
    this.#failed = failed;
  }

  override getIdentities(done: (error?: Error | null, keys?: Buffer[]) => void): void {
    done(
      null,
      this.#identities.map((each) => each.publicKey),
    );
  }

  override sign(key: unknown, data: Buffer, ...rest: unknown[]): void {
    const done = rest.at(-1) as (error?: Error | null, signature?: Buffer) => void;
    const { hash } = rest.length > 1 ? (rest[0] as { hash?: string }) : {};
    const wanted = (key as ParsedKey).getPublicSSH();
    const identity = this.#identities.find((each) => each.publicKey.equals(wanted));
    if (identity === undefined) {
      done(new Error("not a key of this ring"));
      return;
    }
    identity.sign(data, hash).then(
      (signature) => done(null, signature),
      (error: unknown) => {
        this.#failed(error);
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }
}
