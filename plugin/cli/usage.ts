// What the commands are called and what they take; the texts of --help.

interface CommandUsage {
  /** Behind the program's name. */
  line: string;
  /** One line for the list. */
  summary: string;
  /** Names in `arguments.ts`. */
  options: string[];
  /** Takes words behind `--`. */
  rest: boolean;
  help: string;
}

export type CommandName =
  | "open"
  | "connect"
  | "exec"
  | "hosts"
  | "setup"
  | "status"
  | "stop"
  | "approvals"
  | "audit"
  | "anchor-shell";

const PROGRAM = "opencode-remote-ssh";

export const COMMANDS: Record<CommandName, CommandUsage> = {
  open: {
    line: "open HOST[:PATH] [-- OPENCODE-ARGS]",
    summary: "work on a host with OpenCode",
    options: [],
    rest: true,
    help: `Prepares the host, starts OpenCode here and lets it work in PATH there. Without PATH: the host's
configured \`directory\`, else the one last used there, else it asks.
What stands behind -- goes to \`opencode attach\`.`,
  },
  connect: {
    line: "connect HOST [--json]",
    summary: "connect, and serve the stub's HTTP on loopback until Ctrl-C",
    options: [],
    rest: false,
    help: `Prints {"url","token","approver","host","stub","timings"} and stays; \`approver\` dies with it.
For people it prints a curl command that works.`,
  },
  exec: {
    line: "exec HOST [--cwd DIR] [--env NAME=VALUE]... [--timeout SECONDS] [--stdin] [--unconfined] [--yes] -- CMD...",
    summary: "run a command on a host",
    options: ["cwd", "env", "timeout", "stdin", "unconfined", "yes"],
    rest: true,
    help: `Output and errors come as they are; the exit status is the command's (128+n where signal n ended it),
255 where it did not run. One word with spaces or shell characters is text for the host's shell, anything else
a program with its arguments.

  --cwd DIR          run there, and approve DIR for it; without it: the host's \`directory\`, else a private
                     temporary directory
  --env NAME=VALUE   set a variable; may be repeated
  --timeout SECONDS  end the command after this time
  --stdin            give the command what stands on standard input, to its end: tar c . | … --stdin -- tar x -C DIR
                     Without it nothing is read from there, so a \`while read\` around it keeps its lines
  --unconfined       let nothing hold this one run to what was approved (sudo needs it); asks first, whatever was approved
  --yes, -y          answer every ask with \`once\`
  --json             lines of JSON: {"type":"output","stream","offset","base64"}…, {"type":"end",…}

The first Ctrl-C ends the command on the host and waits for it, the second leaves at once.`,
  },
  hosts: {
    line: "hosts",
    summary: "list the hosts that are known",
    options: [],
    rest: false,
    help: "Those of the plugin's configuration, then those of ssh_config. Opens no connection.",
  },
  setup: {
    line: "setup HOST",
    summary: "install and start the stub, and prove that it answers",
    options: [],
    rest: false,
    help: "Sends the stub where it is missing or older, starts it, registers this installation's approver.",
  },
  status: {
    line: "status [HOST]",
    summary: "what runs where",
    options: [],
    rest: false,
    help: `Without HOST: the hosts that were used or are configured, and commands that were left behind there. Opens no connection.
With HOST: the stub there, how far away it is, its workspaces, the commands that run and the last ones that ended.
It looks only: nothing is installed, started or replaced. Commands with a * were started by an OpenCode of this laptop
that did not receive their end.`,
  },
  stop: {
    line: "stop HOST [--force]",
    summary: "stop the stub",
    options: ["force"],
    rest: false,
    help: `Refuses while commands run, unless --force: they go on without the stub, and the next one finds them.`,
  },
  approvals: {
    line: "approvals HOST [--revoke ID]",
    summary: "what is approved on a host, and taking it back",
    options: ["revoke"],
    rest: false,
    help: `Lists what this installation approved there: id, access, path, how, when, in which workspace.

  --revoke ID  take it back; it holds for the next command and the next file operation`,
  },
  audit: {
    line: "audit HOST [--since TIME]",
    summary: "who ran, asked for and approved what on a host",
    options: ["since"],
    rest: false,
    help: `The last 200 lines of the stub's log, of all installations on that account: time, what, decision or exit status,
approver, id, command or path. --json gives each as a line of JSON.

  --since TIME  from then on: 90s, 15m, 2h, 7d ago, or a date`,
  },
  "anchor-shell": {
    line: "anchor-shell RECORD -c TEXT",
    summary: "",
    options: ["c"],
    rest: false,
    help: "For the `shell` of an anchor only.",
  },
};

const GLOBAL_HELP = `  -F FILE      read FILE instead of ~/.ssh/config
  -i FILE      log in with this key
  -p PORT      connect to this port
  --json       answers and errors as JSON on stdout
  --verbose    say on stderr what is being done
  --help       this text, or that of a command
  --version    the version`;

export function helpText(command: CommandName | undefined): string {
  if (command !== undefined) {
    const { line, help } = COMMANDS[command];
    return `usage: ${PROGRAM} [options] ${line}\n\n${help}\n\noptions of all commands:\n${GLOBAL_HELP}\n`;
  }
  const shown = Object.values(COMMANDS).filter(({ summary }) => summary !== "");
  const list = shown.map(({ line, summary }) => `  ${line}\n      ${summary}`).join("\n");
  return `usage: ${PROGRAM} [options] COMMAND\n\n${list}\n
HOST is a name or alias of the plugin's configuration, an alias of ~/.ssh/config, or user@host[:port].
\noptions:\n${GLOBAL_HELP}\n
Exit status: 0, 1 on an error, 2 on wrong usage; \`exec\` gives the command's, and 255 for its own errors.\n`;
}
