// `helper confine`: one command, confined, without a stub. Tests and virtual machines drive the levels with it, programs of the stub
// that are no commands (git, rg, terminals) run by it, and people look for themselves what holds.
#ifndef CONFINE_CLI_H
#define CONFINE_CLI_H

// `argv` begins behind the word "confine". Returns an exit status, or becomes the command.
int confine_cli(int argc, char **argv);

#endif
