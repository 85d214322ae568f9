// The library of function_identity.c.
#include <stdio.h>

#include "identity.h"

static function *theirs = in_program, *mine = in_library;

int in_library(int x) { return x + 5; }
int (*puts_in_library(void))(const char *) { return puts; }
function *of_library(void) { return mine == in_library ? in_library : 0; }
int program_in_library(function *f) { return f == theirs && f == in_program; }
