// Fills a table in memory, changes it, and asks questions of it, in three databases one after another.
#include "sqlite3.h"

#include "passes.h"

static int sum(void *total, int columns, char **values, char **names) {
    (void)names;
    for (int i = 0; i < columns; i++)
        for (const char *c = values[i]; c && *c; c++) *(long *)total = (*(long *)total * 31 + *c) % 1000000007;
    return 0;
}

static long fill_and_ask(void) {
    static const char *const statements[] = {
        "create table t(id integer primary key, name text, value real)",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000)"
        " insert into t select i, printf('name %d of %s', i * 7919 % 200000, hex(i)), i * 0.5 from n",
        "create index by_name on t(name)",
        "update t set value = value + length(name) where id % 3 = 0",
        "delete from t where id % 11 = 0",
        "select count(*), sum(value), max(name) from t",
        "select substr(name, 6, 2) as k, count(*), avg(value) from t group by k order by k",
        "select a.id, b.name from t a join t b on b.name = a.name where a.id % 50 = 1 order by b.value desc limit 500",
    };
    sqlite3 *database;
    long total = 0;
    if (sqlite3_open(":memory:", &database) != SQLITE_OK) return -1;
    for (unsigned i = 0; i < sizeof statements / sizeof *statements; i++)
        if (sqlite3_exec(database, statements[i], sum, &total, 0) != SQLITE_OK) return -1;
    sqlite3_close(database);
    return total;
}

static long work(void) {
    long sum = 0;
    for (int i = 0; i < 3; i++) {
        long total = fill_and_ask();
        if (total < 0) return -1;
        sum += total;
    }
    return sum;
}

int main(void) { return passes(work); }
