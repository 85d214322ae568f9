// Static functions and variables of the same name in several files stay different.
//# sources: second.c third.c
//# mix
//# prints: helper 1 2 3
//# prints: counters 1 10 100
//# prints: again 2 20 200
//# prints: pointers differ 1
#include <stdio.h>

typedef int function(void);
function *second_helper(void), *third_helper(void);
int second_count(void), third_count(void);

static int counter = 0;
static int helper(void) { return 1; }
static int count(void) { return counter += 1; }

int main(void) {
    printf("helper %d %d %d\n", helper(), second_helper()(), third_helper()());
    printf("counters %d %d %d\n", count(), second_count(), third_count());
    printf("again %d %d %d\n", count(), second_count(), third_count());
    printf("pointers differ %d\n", second_helper() != helper && second_helper() != third_helper());
    return 0;
}
