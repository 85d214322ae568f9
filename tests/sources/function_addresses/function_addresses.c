// The address of a function is the same in every file, library and table, before and after it was called.
//# sources: other_unit.c
//# library: third_unit.c
//# mix
//# prints: same in units: 1 1 1
//# prints: same in library: 1 1
//# prints: same after calls: 1 1
//# prints: different functions: 1
//# prints: through dlsym: 1
//# link: -rdynamic -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

typedef int function(int);

int shared(int x) { return x + 1; }
static int local(int x) { return x + 1; }
function *of_other_unit(void), *of_library(void), *shared_in_other_unit(void), *table_of_other_unit(int);
int in_other_unit(int), in_library(int);
int compare_in_library(function *a, function *b);

static function *const table[] = {shared, local, in_other_unit, in_library};

int main(void) {
    printf("same in units: %d %d %d\n", shared_in_other_unit() == shared, of_other_unit() == in_other_unit,
           table_of_other_unit(0) == table[0]);
    printf("same in library: %d %d\n", of_library() == in_library, compare_in_library(table[3], in_library));
    function *before = shared;
    int sum = shared(1) + local(2) + in_other_unit(3) + in_library(4);
    for (int i = 0; i < 4; i++) sum -= table[i](i + 1);
    printf("same after calls: %d %d\n", before == shared && shared_in_other_unit() == before, sum == 0);
    printf("different functions: %d\n", shared != local && table[1] == local);
    printf("through dlsym: %d\n", dlsym(RTLD_DEFAULT, "shared") == (void *)shared);
    return 0;
}
