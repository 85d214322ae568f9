/* Opens the library beside the program twice. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **arguments) {
  char path[4096];
  strcpy(path, arguments[count - 1]);
  strcpy(strrchr(path, '/'), "/opened.so");
  for (int i = 0; i < 2; i++) {
    void *library = dlopen(path, RTLD_NOW);
    int (*function)(int) = (int (*)(int))dlsym(library, "opened_function");
    printf("%d\n", function(i));
    dlclose(library);
  }
}
