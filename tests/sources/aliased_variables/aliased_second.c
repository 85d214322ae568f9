// The second unit of aliased_variables.c, which replaces one of its names.
int replaced_name = 3;
