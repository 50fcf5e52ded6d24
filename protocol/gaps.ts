// What a level does not hold, or holds only by taking something away: the names in `Enforcement.gaps`, with a sentence for people.

export const GAPS = {
  unconfined: "nothing is checked but the working directory and the file API: it was turned off",
  "command-text": "only the paths in a command's text are looked at; what its programs open is not",
  race: "a program that swaps a path while it is being checked gets through: it stops mistakes, not attacks",
  "stub-reachable": "a command runs as the stub's own user, could read its token and files and approve itself",
  "pre-existing-hard-links": "a file that was hard linked into an approved directory before is reached there",
  stat: "names, sizes, times and modes of files outside can be seen, their contents cannot",
  chmod: "modes, times and extended attributes of files outside can be changed where the user may",
  network: "what listens on the network is reached, on the host's own loopback too, and data can be sent away",
  "network-denial": "the network was to be denied and is not",
  signals: "processes of the same user outside can be signalled",
  "proc-cmdline": "the command lines of other processes on the host can be read",
  ipc: "System V shared memory, semaphores and message queues of the same user are reached",
  "no-unix-sockets": "no unix socket can be connected to at all: name services, ssh-agent and tmux are not reached",
  "shared-memory":
    "POSIX semaphores and shared memory (python's multiprocessing) need an approval of /dev/shm, where those of the user's other programs are",
  "move-copies": "moving a file between two directories copies it",
} as const satisfies Record<string, string>;

export type Gap = keyof typeof GAPS;
