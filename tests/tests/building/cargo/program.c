#include <pthread.h>
#include <stdio.h>
unsigned rust_next(void);
int rust_apply(unsigned (*call)(unsigned), unsigned x);
void rust_quiet(void);
void rust_flush(void);
static unsigned twice(unsigned x) { return 2 * x; }
static void *thread(void *data) {
  rust_next();
  *(unsigned *)data = rust_next();
  return NULL;
}
int main(void) {
  unsigned seen;
  pthread_t worker;
  rust_quiet();
  rust_next();
  pthread_create(&worker, NULL, thread, &seen);
  pthread_join(worker, NULL);
  rust_flush();
  printf("next %u in thread %u\n", rust_next(), seen);
  printf("applied %d %d\n", rust_apply(twice, 3), rust_apply(twice, 30));
  fflush(stdout);
  return 0;
}
