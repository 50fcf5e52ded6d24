#ifndef SPAWNER_H
#define SPAWNER_H

// Serves requests on REPORT_FD until its end. Returns the exit status of this process. `argv`: its own.
int spawner_run(char **argv);

#endif
