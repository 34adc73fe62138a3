#ifndef BMX_BECOME_H
#define BMX_BECOME_H

#include "base/err.h"

/*
 * When we are root become that user, for good; root has to be asked for by
 * name. -1 (ERR_CONFIG): there is no such user, or none is named (NULL) and we
 * are root; (ERR_TEMP): nobody can say now whether there is.
 */
int become_user(const char *user, struct err *e);

#endif
