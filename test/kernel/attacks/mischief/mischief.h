// What attacks need and no ordinary program does: one static program, `mischief NAME ARGUMENTS`, used by attacks (confined)
// and by bystanders (not confined: the processes of the same user that an attack is after).
#ifndef MISCHIEF_H
#define MISCHIEF_H
#include <stddef.h>

struct deed { const char *name; int (*run)(char **args); };

extern const struct deed file_deeds[], process_deeds[], socket_deeds[], ipc_deeds[], terminal_deeds[], abi_deeds[];

// Prints a message with errno and exits 1: the attack did not work.
_Noreturn void give_up(const char *what);

// What is in the file, at most `size` bytes; gives up if it cannot be read.
size_t slurp(const char *path, char *into, size_t size);

// Everything to stdout, as write(2).
void say(const char *bytes, size_t length);

// Tells on stdout what the setup of the attack must know ("pid …"), then goes on without a terminal, in the background.
void become_bystander(const char *told);

#endif
