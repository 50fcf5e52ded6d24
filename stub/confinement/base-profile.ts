// What every command gets beside its approvals, so that ordinary work needs no question: programs, libraries, the settings that
// programs read at their start, devices. Found by running 60 developer commands and looking at what was refused.
// Nothing secret: of /etc only what is named here and what every user of the host may read (`isPublic`).
import { type BigIntStats, readdirSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Read and executed. */
const PROGRAMS = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/opt",
  "/nix/store",
  "/gnu/store",
  "/snap",
];

/** What the kernel tells of processes and of the machine. */
const KERNEL = ["/proc", "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm"];

/** Lists of what is installed; where /etc/resolv.conf leads; what SSSD has remembered of users and groups. */
const VARIABLE = [
  "/run/systemd/resolve/resolv.conf",
  "/run/systemd/resolve/stub-resolv.conf",
  "/run/NetworkManager/resolv.conf",
  "/run/resolvconf/resolv.conf",
  "/var/cache/fontconfig",
  "/var/lib/ca-certificates",
  "/var/lib/dpkg",
  "/var/lib/rpm",
  "/var/lib/sss/mc",
];

/** Of /etc. Not there: keys (ssl/private, pki/tls/private), machine-id, what names other machines' passwords (apt, fstab, mysql). */
const ETC = names(`
  ld.so.cache ld.so.conf ld.so.conf.d ld.so.preload ld-musl-x86_64.path ld-musl-aarch64.path ld-musl-x86_64.d
  passwd group nsswitch.conf host.conf hosts hostname resolv.conf gai.conf networks services protocols rpc netconfig ethertypes
  ssl/certs ssl/openssl.cnf ssl/cert.pem pki/tls/certs pki/tls/cert.pem pki/tls/openssl.cnf pki/ca-trust pki/java
  ca-certificates ca-certificates.conf crypto-policies system-fips gnutls
  krb5.conf krb5.conf.d gss libnl-3 selinux/config
  localtime timezone locale.alias locale.conf default/locale papersize
  alternatives terminfo inputrc shells login.defs profile profile.d bash.bashrc bashrc bash_completion bash_completion.d
  zsh zshenv zprofile zshrc zlogin fish csh.cshrc csh.login manpath.config skel
  os-release lsb-release debian_version redhat-release centos-release rocky-release fedora-release system-release alpine-release issue
  gitconfig gitattributes subversion mercurial npmrc pip.conf python3 perl maven wgetrc curlrc vim vimrc nanorc screenrc tmux.conf
  magic magic.mime mime.types mailcap fonts xattr.conf dpkg/origins sgml xml emacs gdb gprofng.rc debuginfod
`);

/** Of /etc, with a version in their name. */
const VERSIONED = /^(?:java|python3\.\d+|java-?\d[\w.-]*|ruby|php|R|lua|openmpi|fonts|node|dotnet)$/;

/** Read, written, controlled. Not /dev/pts: another terminal of the same user could be read there. */
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty", "ptmx"].map((name) => `/dev/${name}`);

/** Of services that the C library asks about users, groups and names of hosts. Not the message bus, nor any agent. */
const SOCKETS = [
  "/run/nscd/socket",
  "/var/run/nscd/socket",
  "/var/lib/sss/pipes/nss",
  "/run/systemd/userdb/io.systemd.Multiplexer",
  "/run/systemd/userdb/io.systemd.DynamicUser",
  "/run/systemd/userdb/io.systemd.NameServiceSwitch",
  "/run/systemd/resolve/io.systemd.Resolve",
  "/run/avahi-daemon/socket",
];

export interface BaseProfile {
  /** Entries of a policy, `KIND - PATH`. */
  entries: string[];
  /** Changes when something of it was replaced by another file of the same name: `passwd` after `useradd`. */
  identity: string;
  /** What changes when one of the files is replaced. */
  directories: string[];
}

/** As it is now. About 150 looks at files. */
export function baseProfile(): BaseProfile {
  const read = [...PROGRAMS, ...KERNEL, ...VARIABLE, ...[...ETC, ...versioned()].map((name) => `/etc/${name}`)];
  const entries: string[] = [];
  const identities: string[] = [];
  const directories = new Set(["/etc"]);
  const add = (kind: string, path: string) => {
    const found = statSync(path, { throwIfNoEntry: false, bigint: true });
    if (found === undefined || !isPublic(found)) return;
    entries.push(`${kind} - ${path}`);
    identities.push(`${found.dev}:${found.ino}`);
    if (found.isDirectory()) return;
    directories.add(dirname(path));
    directories.add(dirname(realpathSync.native(path)));
  };
  for (const path of read) add("sys", path);
  for (const path of DEVICES) entries.push(`dev - ${path}`);
  for (const path of SOCKETS) add("sock", path);
  return { entries, identity: identities.join(" "), directories: [...directories] };
}

/** What not everybody may read is no part of a base: root's own keys are root's to read, too. */
function isPublic(found: BigIntStats): boolean {
  return (found.mode & 0o004n) !== 0n && (!found.isDirectory() || (found.mode & 0o001n) !== 0n);
}

function versioned(): string[] {
  try {
    return readdirSync("/etc").filter((name) => VERSIONED.test(name));
  } catch {
    return [];
  }
}

function names(text: string): string[] {
  return text.trim().split(/\s+/);
}
