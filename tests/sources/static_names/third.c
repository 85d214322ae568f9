// The third file of static_names.c.
typedef int function(void);

static int counter = 0;
static int helper(void) { return 3; }
static int count(void) { return counter += 100; }

function *third_helper(void) { return helper; }
int third_count(void) { return count(); }
