// Creates, fills, joins, changes and checks tables with SQLite, in memory and in a file, and prints what it finds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

static sqlite3 *database;

static int print_row(void *unused, int count, char **values, char **names) {
    (void)unused;
    for (int i = 0; i < count; i++) printf("%s%s=%s", i ? " " : "  ", names[i], values[i] ? values[i] : "NULL");
    printf("\n");
    return 0;
}

static void execute(const char *sql) {
    char *message = NULL;
    printf("%s\n", sql);
    if (sqlite3_exec(database, sql, print_row, NULL, &message) != SQLITE_OK) printf("  error: %s\n", message);
    sqlite3_free(message);
}

static void half(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    sqlite3_result_double(context, sqlite3_value_double(values[0]) / 2);
}

static void fill(int rows) {
    sqlite3_stmt *insert;
    const char *sql = "INSERT INTO item(name, owner, price, note) VALUES(?1, ?2, ?3, ?4)";
    if (sqlite3_prepare_v2(database, sql, -1, &insert, NULL) != SQLITE_OK) exit(2);
    for (int i = 0; i < rows; i++) {
        char name[32];
        snprintf(name, sizeof name, "item-%04d", i * 7919 % rows);
        sqlite3_bind_text(insert, 1, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int(insert, 2, i % 5 + 1);
        sqlite3_bind_double(insert, 3, i * 0.25);
        if (i % 3) sqlite3_bind_null(insert, 4);
        else sqlite3_bind_blob(insert, 4, name, (int)strlen(name), SQLITE_TRANSIENT);
        if (sqlite3_step(insert) != SQLITE_DONE) exit(2);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
}

static void work(const char *file, int rows) {
    printf("--- %s\n", file);
    if (sqlite3_open(file, &database) != SQLITE_OK) exit(2);
    sqlite3_create_function(database, "half", 1, SQLITE_UTF8, NULL, half, NULL, NULL);
    execute("CREATE TABLE owner(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL)");
    execute("CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, owner REFERENCES owner(id), price REAL, note BLOB)");
    execute("INSERT INTO owner(name) VALUES('ann'), ('bob'), ('cy'), ('dee'), ('eve')");
    execute("BEGIN");
    fill(rows);
    execute("COMMIT");
    execute("CREATE INDEX item_name ON item(name)");
    execute("SELECT count(*), sum(price), avg(price), min(name), max(name) FROM item");
    execute("SELECT owner.name, count(*) AS items, half(sum(price)) AS worth FROM item JOIN owner ON owner.id = item.owner"
            " GROUP BY owner.id HAVING items > 1 ORDER BY worth DESC");
    execute("WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 10)"
            " SELECT group_concat(x * x, ',') AS squares FROM n");
    execute("SELECT name, rank() OVER (ORDER BY price DESC) AS place FROM item LIMIT 3");
    execute("UPDATE item SET price = price * 2 WHERE name LIKE 'item-00%'");
    execute("DELETE FROM item WHERE owner = (SELECT id FROM owner WHERE name = 'cy')");
    execute("SELECT count(*), round(sum(price), 2), total(length(note)) FROM item");
    execute("INSERT INTO owner(name) VALUES('ann')");
    execute("SELECT * FROM missing");
    execute("CREATE TRIGGER gone AFTER DELETE ON item BEGIN UPDATE owner SET name = upper(name) WHERE id = old.owner; END");
    execute("DELETE FROM item WHERE id = 2");
    execute("SELECT json_group_array(name) AS names FROM owner");
    execute("SELECT date(0, 'unixepoch', '+1 month') AS day, printf('%05.1f|%s', 2.25, hex('ab')) AS text");
    execute("SAVEPOINT s; DROP TABLE owner; ROLLBACK TO s; RELEASE s");
    execute("SELECT count(*) FROM owner, item");
    execute("VACUUM");
    execute("PRAGMA integrity_check");
    sqlite3_close(database);
}

int main(void) {
    printf("version %s\n", sqlite3_libversion());
    work(":memory:", 2000);
    remove("driver.db");
    work("driver.db", 500);
    return 0;
}
