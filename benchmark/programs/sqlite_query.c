// Opens a database in memory, fills a table, and asks it something.
#include <stdio.h>

#include "sqlite3.h"

static int print_row(void *unused, int count, char **values, char **names) {
    (void)unused;
    for (int i = 0; i < count; i++) printf("%s=%s\n", names[i], values[i] ? values[i] : "NULL");
    return 0;
}

int main(void) {
    sqlite3 *database;
    if (sqlite3_open(":memory:", &database) != SQLITE_OK) return 1;
    const char *sql = "CREATE TABLE city(id INTEGER PRIMARY KEY, name TEXT, people INTEGER);"
                      "INSERT INTO city(name, people) VALUES('Oslo', 717), ('Lima', 10092), ('Riga', 605);"
                      "SELECT name, people FROM city WHERE people > 700 ORDER BY name;";
    if (sqlite3_exec(database, sql, print_row, NULL, NULL) != SQLITE_OK) return 1;
    return sqlite3_close(database);
}
