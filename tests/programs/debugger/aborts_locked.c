/* Aborts while another thread has the loader's lock: for core files. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static volatile int started;
static int visit(struct dl_phdr_info *info, size_t size, void *data) {
  started = 1;
  for (;;)
    usleep(1000);
  return info == data && size == 0;
}
static void *walk(void *argument) {
  dl_iterate_phdr(visit, argument);
  return argument;
}
int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, walk, NULL);
  while (!started)
    usleep(1000);
  abort();
}
