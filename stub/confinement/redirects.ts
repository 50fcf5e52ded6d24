// Where tools keep what they can make anew: in the workspace's private directory, unless the user's own place may be written.
// HOME stays what it is: settings are the user's.
import { join } from "node:path";

export interface RedirectOptions {
  /** The private directory. */
  directory: string;
  home: string;
  /** Whether the level shows only what was approved: every approved directory is then a mount of its own. */
  isView: boolean;
  /** The user is root, who may write beside the system's own modules. */
  isRoot: boolean;
  /** The user's `.gitconfig`, where that is a link (git-config.ts). */
  gitConfig?: string | undefined;
  mayWrite(path: string): boolean;
}

/** Variables over those of the login, whose own choice of a place counts where it may be written. */
export function redirects(
  login: Readonly<Record<string, string>>,
  { directory, home, isView, isRoot, gitConfig, mayWrite }: RedirectOptions,
): Record<string, string> {
  const caches = join(directory, ".cache");
  const places: [name: string, usual: string, ours: string][] = [
    // pip, uv, go, ccache, node-gyp, yarn, pre-commit and most others ask for this one
    ["XDG_CACHE_HOME", join(home, ".cache"), caches],
    ["npm_config_cache", join(home, ".npm"), join(caches, "npm")],
    ["GOPATH", join(home, "go"), join(caches, "go-path")],
    ["CARGO_HOME", join(home, ".cargo"), join(caches, "cargo")],
    ["GRADLE_USER_HOME", join(home, ".gradle"), join(caches, "gradle")],
  ];
  const variables: Record<string, string> = { TMPDIR: directory };
  for (const [name, usual, ours] of places) if (!mayWrite(login[name] || usual)) variables[name] = ours;
  // Else its cache could not be removed: go makes the directories read only.
  if (variables.GOPATH !== undefined) variables.GOFLAGS = `${login.GOFLAGS ?? ""} -modcacherw`.trim();
  // A history that cannot be kept is asked for at each start of a shell.
  if (!mayWrite(login.HISTFILE || home)) variables.HISTFILE = join(directory, ".history");
  // Modules that were not compiled when they were installed would be compiled beside themselves, in /usr.
  if (isRoot) variables.PYTHONPYCACHEPREFIX = join(caches, "python");
  if (isView) {
    variables.GIT_DISCOVERY_ACROSS_FILESYSTEM = "1";
    if (gitConfig !== undefined) variables.GIT_CONFIG_GLOBAL = gitConfig;
  }
  return variables;
}
