// Does a little of what the runtime has a part in: first calls in threads and children, a cancelled thread, errno.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int add(int x) { return x + 1; }
static int in_thread(int x) { return x + 2; }
static int in_child(int x) { return x + 3; }

static void *run(void *argument) {
  *(int *)argument = in_thread(40);
  for (;;) pause();
}

int main(void) {
  int result = 0, status = 0;
  pthread_t thread;
  void *end = 0;
  if (pthread_create(&thread, 0, run, &result)) return 1;
  while (!__atomic_load_n(&result, __ATOMIC_ACQUIRE)) usleep(1000);
  pthread_cancel(thread);
  pthread_join(thread, &end);
  pid_t child = fork();
  if (child == 0) _exit(in_child(4));
  waitpid(child, &status, 0);
  printf("%d %d %d %d\n", add(41), result, end == PTHREAD_CANCELED, WEXITSTATUS(status));
  return 3;
}
