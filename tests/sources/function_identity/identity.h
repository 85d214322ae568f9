// What the units of function_identity.c know of one another.
#pragma once
typedef int function(int);
typedef int plugin_check(function *, int which);

int in_program(int), in_second(int), in_library(int), weak_one(int);
inline int in_header(int x) { return x + 6; }

function *program_in_second(void), *of_second(void), *table_of_second(int), *of_library(void);
function *weak_in_second(void), *inline_in_second(void), *own_in_second(void);
int program_in_library(function *);
int (*puts_in_second(void))(const char *), (*puts_in_library(void))(const char *);
