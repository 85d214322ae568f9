// Starts SQLite and prints its version, as a command line tool does for --version.
#include <stdio.h>

#include "sqlite3.h"

int main(void) {
    if (sqlite3_initialize() != SQLITE_OK) return 1;
    printf("%s %s\n", sqlite3_libversion(), sqlite3_sourceid());
    return sqlite3_shutdown();
}
