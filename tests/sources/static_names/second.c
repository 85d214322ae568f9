// The second file of static_names.c.
typedef int function(void);

static int counter = 0;
static int helper(void) { return 2; }
static int count(void) { return counter += 10; }

function *second_helper(void) { return helper; }
int second_count(void) { return count(); }
