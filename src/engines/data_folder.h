/* The folder of the embedded engine's files: made where it is missing, and held by one process at a time. */
#ifndef PURSER_ENGINES_DATA_FOLDER_H
#define PURSER_ENGINES_DATA_FOLDER_H

#include "base/err.h"

/* Takes the folder of the setting `data` for this process, for good (at first use; later calls are free). 0, or negative with one line:
 * it cannot be made or written, or another process has it. Worker 0. */
int data_folder_take(struct err *err);

#endif
