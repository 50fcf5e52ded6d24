#ifndef SPAWNER_H
#define SPAWNER_H

// Serves requests on REPORT_FD until its end. Returns the exit status of this process.
int spawner_run(void);

#endif
