/* Calls into libraries return to this. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
const char *volatile text = "traced";
size_t length(const char *of) { return strlen(of); }
int main(void) {
  size_t n = length(text);
  puts(getenv("NOT_SET") ? "set" : "traced");
  return n + strlen("") != 6;
}
