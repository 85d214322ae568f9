// The second unit of function_addresses.c.
typedef int function(int);

int shared(int x);
int in_other_unit(int x) { return x + 2; }

static function *const table[] = {shared};

function *of_other_unit(void) { return in_other_unit; }
function *shared_in_other_unit(void) { return shared; }
function *table_of_other_unit(int i) { return table[i]; }
