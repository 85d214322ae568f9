/* With an argument, one thread aborts while another one waits: for core files. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static volatile int started, done;
__attribute__((noinline)) static int inner(int n, int fatal) {
  if (fatal)
    abort();
  return n + 1;
}
__attribute__((noinline)) int middle(int n, int fatal) {
  int r = inner(n * 2, fatal);
  return r + 1;
}
__attribute__((noinline)) static int outer(int n, int fatal) {
  int r = middle(n * 2, fatal);
  return r + 2;
}
__attribute__((noinline)) static int waits(void) {
  started = 1;
  while (!done)
    usleep(1000);
  return started;
}
static void *other(void *argument) {
  waits();
  return argument;
}
int main(int count, char **arguments) {
  pthread_t thread;
  pthread_create(&thread, NULL, other, NULL);
  while (!started)
    usleep(1000);
  printf("%d\n", outer(4, count > 1));
  done = 1;
  pthread_join(thread, NULL);
  return arguments == NULL;
}
