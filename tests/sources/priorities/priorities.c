// Constructors and destructors of two files and a library, with priorities: in the plain program's order, each once,
// with lazy functions called from all of them.
//# sources: more_priorities.c
//# library: priorities_library.c
//# mix
//# linkers: lld
//# prints: 1 library constructor
//# prints: 2 constructor 101 of main
//# prints: 3 constructor 102 of second
//# prints: 4 constructor 200 of main
//# prints: 7 main
//# prints: 8 atexit
//# prints: 12 destructor 102 of second
//# prints: 13 destructor 101 of main
//# prints: 14 library destructor
//# static: first_of_all
//# stats: compiled >= 3
#include <stdio.h>
#include <stdlib.h>

#include "priorities.h"

void say(const char *what) { printf("%d %s\n", next_number(), what); }

__attribute__((constructor(200))) static void middle(void) { say("constructor 200 of main"); }
__attribute__((constructor)) static void ordinary(void) { say("constructor of main"); }
__attribute__((constructor(101))) void first_of_all(void) { say("constructor 101 of main"); }
__attribute__((destructor(101))) static void last_of_all(void) { say("destructor 101 of main"); }
__attribute__((destructor(200))) static void early(void) { say("destructor 200 of main"); }
__attribute__((destructor)) static void ordinary_end(void) { say("destructor of main"); }
static void at_exit(void) { say("atexit"); }

int main(void) {
    say("main");
    atexit(at_exit);
    return 0;
}
