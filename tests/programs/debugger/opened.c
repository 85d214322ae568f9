/* A library that is opened, closed and opened again. */
int opened_value = 3;
int opened_function(int n) {
  return n * 2 + opened_value;
}
