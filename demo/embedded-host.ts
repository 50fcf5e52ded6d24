// An SSH host without sshd and without root: ssh2's own server on loopback, with a home of its own. Public key only,
// exec, TCP to loopback and unix sockets: what a real host offers and the plugin uses.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type Connection, type ServerChannel, type Session } from "ssh2";

export interface EmbeddedHost {
  host: "127.0.0.1";
  port: number;
  user: string;
  /** The private key that may log in. */
  identityFile: string;
  knownHostsFile: string;
  /** HOME of everything that runs there. */
  home: string;
  /** Connections and commands that were asked for so far. */
  counts: { connections: number; execs: number };
  /** Ends the connections and refuses new ones until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends connections and what was started by them; what left its parent (the stub) goes on. Removes the home. */
  stop(): Promise<void>;
}

const USER = "demo";

/** One in 256 keys that ssh2 1.17 generates it cannot read itself (a half that begins with a zero byte is written short). */
function generateKey(): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    const halves = [ssh2.utils.parseKey(pair.private), ssh2.utils.parseKey(pair.public)];
    if (!halves.some((half) => half instanceof Error)) return pair;
  }
}

export async function startEmbeddedHost(): Promise<EmbeddedHost> {
  const directory = await mkdtemp(join(tmpdir(), "ocr-host-"));
  const home = join(directory, "home");
  await mkdir(home, { mode: 0o700 });
  const hostKey = generateKey();
  const userKey = generateKey();
  const identityFile = join(directory, "id_ed25519");
  await writeFile(identityFile, userKey.private, { mode: 0o600 });

  const connections = new Set<Connection>();
  const children = new Set<ChildProcess>();
  const counts = { connections: 0, execs: 0 };
  let paused = false;
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    if (paused) return connection.end();
    counts.connections++;
    connections.add(connection);
    connection.on("close", () => connections.delete(connection));
    connection.on("error", () => connections.delete(connection));
    authenticate(connection, userKey.public);
    connection.on("ready", () => {
      connection.on("session", (accept) => serveSession(accept(), home, children, counts));
      connection.on("tcpip", (accept, reject, info) => {
        if (info.destIP !== "127.0.0.1" && info.destIP !== "localhost") return reject();
        joinSocket(connect(info.destPort, "127.0.0.1"), accept, reject);
      });
      connection.on("openssh.streamlocal", (accept, reject, info) => {
        joinSocket(connect(info.socketPath), accept, reject);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const knownHostsFile = join(directory, "known_hosts");
  const publicKey = hostKey.public.split(" ").slice(0, 2).join(" ");
  await writeFile(knownHostsFile, `[127.0.0.1]:${port} ${publicKey}\n`, { mode: 0o600 });
  const endAll = () => {
    for (const connection of connections) connection.end();
  };
  return {
    host: "127.0.0.1",
    port,
    user: USER,
    identityFile,
    knownHostsFile,
    home,
    counts,
    pause() {
      paused = true;
      endAll();
    },
    resume() {
      paused = false;
    },
    async stop() {
      endAll();
      for (const child of children) child.kill("SIGTERM");
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function authenticate(connection: Connection, publicLine: string): void {
  const allowed = ssh2.utils.parseKey(publicLine);
  if (allowed instanceof Error) throw allowed;
  connection.on("authentication", (context) => {
    if (context.method !== "publickey" || context.username !== USER) return context.reject(["publickey"]);
    if (!context.key.data.equals(allowed.getPublicSSH())) return context.reject(["publickey"]);
    // without a signature the client only asks whether this key would do
    if (!context.signature || !context.blob) return context.accept();
    if (allowed.verify(context.blob, context.signature, context.hashAlgo) === true) context.accept();
    else context.reject(["publickey"]);
  });
}

function serveSession(session: Session, home: string, children: Set<ChildProcess>, counts: { execs: number }): void {
  session.on("env", (accept) => accept?.());
  session.on("pty", (_accept, reject) => reject?.());
  session.on("exec", (accept, _reject, info) => {
    counts.execs++;
    run(accept(), info.command, home, children);
  });
}

function run(channel: ServerChannel, command: string, home: string, children: Set<ChildProcess>): void {
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: home,
    env: { HOME: home, USER, LOGNAME: USER, SHELL: "/bin/sh", PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.add(child);
  // a command may end before it has read all of its input
  child.stdin.on("error", () => channel.unpipe(child.stdin));
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.on("error", () => child.kill("SIGHUP"));
  channel.on("close", () => child.kill("SIGHUP"));
  child.on("close", (code, signal) => {
    children.delete(child);
    if (signal) channel.exit(signal.replace(/^SIG/, ""));
    else channel.exit(code ?? 255);
    channel.end();
  });
}

/** Joins a socket of this machine with the channel that is accepted once the socket is connected. */
function joinSocket(socket: Socket, accept: () => ServerChannel, reject: () => void): void {
  socket.once("error", reject);
  socket.once("connect", () => {
    socket.off("error", reject);
    const channel = accept();
    socket.on("error", () => channel.destroy());
    channel.on("error", () => socket.destroy());
    channel.on("close", () => socket.destroy());
    socket.pipe(channel).pipe(socket);
  });
}
