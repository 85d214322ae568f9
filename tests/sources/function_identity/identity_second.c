// The second unit of function_identity.c.
#include <stdio.h>

#include "identity.h"

int in_second(int x) { return x + 4; }
static int own(int x) { return x + 40; }
static function *const table[] = {in_program, in_second};

function *program_in_second(void) { return in_program; }
int (*puts_in_second(void))(const char *) { return puts; }
function *of_second(void) { return in_second; }
function *table_of_second(int i) { return table[i]; }
function *weak_in_second(void) { return weak_one; }
function *inline_in_second(void) { return in_header; }
function *own_in_second(void) { return own; }
