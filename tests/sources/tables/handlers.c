// The handlers of tables.c.
typedef int operation(int, int);

int handler_one(int a, int b) { return 100 * a * b; }
static int handler_two(int a, int b) { return 100 * a * b; }

operation *const handlers[] = {handler_one, handler_two};
