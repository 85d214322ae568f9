// Prints what its code is mapped from, then what it does there. With a second argument, it makes that file, if it can, and
// waits until it is gone.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int m0(int), m1(int), m2(int), m3(int), m4(int), m5(int), m6(int), m7(int), m8(int), m9(int);
int (*later(void))(const void *, const void *);

__attribute__((noinline)) static const char *mapped_from(void) {
  unsigned long here = (unsigned long)__builtin_return_address(0), start, end;
  char line[512], permissions[8];
  const char *found = "nothing";
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps))
    if (sscanf(line, "%lx-%lx %7s", &start, &end, permissions) == 3 && start <= here && here < end)
      found = strchr(permissions, 'w') ? "writable pages" : strstr(line, ".aji") ? "the pack" : "memory";
  fclose(maps);
  return found;
}

static int descending(const void *a, const void *b) { return *(const int *)b - *(const int *)a; }

static int sum(int n) { return m9(m8(m7(m6(m5(m4(m3(m2(m1(m0(n)))))))))); }

static int rare(int n) { return n * 3; }

static void leave(int *n) { printf("left %d\n", *n); }

static void wait_for_others(const char *path) {
  FILE *file = fopen(path, "w");
  if (file == NULL) return;
  fclose(file);
  while (access(path, F_OK) == 0) usleep(1000);
}

static void *thread(void *argument) {
  __attribute__((cleanup(leave))) int n = *(int *)argument;
  pthread_exit(NULL);
}

int main(int argc, char **argv) {
  puts(mapped_from());
  int values[] = {3, 1, 2}, number = 4;
  int (*volatile order)(const void *, const void *) = descending;
  qsort(values, 3, sizeof *values, order);
  printf("%d %d %d\n", sum(1), values[0], later()(values, values + 2));
  fflush(stdout);
  int status = 0;
  pid_t child = fork();
  if (child == 0) _exit(sum(2));
  waitpid(child, &status, 0);
  printf("%d\n", WEXITSTATUS(status));
  pthread_t other;
  pthread_create(&other, NULL, thread, &number);
  pthread_join(other, NULL);
  if (argc > 2) wait_for_others(argv[2]);
  if (argc > 1) printf("%d\n", rare(argc));
  return order == descending ? 3 : 4;
}
