#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) double in_parent(int n) {
  double sum = 0;
  for (int i = 1; i < n; i++)
    sum += 1.0 / i * sum / (sum + 1) + 1;
  return sum;
}
__attribute__((noinline)) double in_child(int n) { return in_parent(n) + 1; }
int main(void) {
  printf("%d\n", in_parent(30000000) > 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    printf("child %d %d\n", getpid(), in_child(10) > 0);
    return 0;
  }
  int status;
  waitpid(child, &status, 0);
  return status;
}
