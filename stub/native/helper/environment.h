#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

// Prints MARKER, the umask in octal, NUL, every variable with a NUL behind it, MARKER. Returns an exit status.
int environment_print(const char *marker, char **envp);

#endif
