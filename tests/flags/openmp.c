// Parallel loops, tasks, critical sections and thread-private variables.
#include <stdio.h>
#include <omp.h>
static int square(int x) { return x * x; }
#pragma omp declare simd
int cube(int x) { return x * x * x; }
int threadprivate = 3;
#pragma omp threadprivate(threadprivate)
int main(void) {
  long s = 0; int a[1000];
  omp_set_num_threads(4);
#pragma omp parallel for reduction(+ : s) schedule(dynamic, 7)
  for (int i = 0; i < 1000; i++) { a[i] = cube(i % 10); s += square(i) + a[i]; }
#pragma omp parallel num_threads(3)
  {
#pragma omp single
    { for (int i = 0; i < 10; i++)
#pragma omp task firstprivate(i) shared(s)
        { 
#pragma omp atomic
          s += square(i); } }
#pragma omp critical
    s += threadprivate;
  }
#pragma omp simd
  for (int i = 0; i < 1000; i++) a[i] = cube(i);
  printf("%ld %d %d\n", s, a[999], omp_get_max_threads()); }
