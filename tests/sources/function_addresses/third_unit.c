// The library of function_addresses.c.
typedef int function(int);

int in_library(int x) { return x + 3; }

function *of_library(void) { return in_library; }
int compare_in_library(function *a, function *b) { return a == b && a == in_library; }
