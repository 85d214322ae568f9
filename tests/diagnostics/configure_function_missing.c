// AC_CHECK_FUNC of a function that there is not.
//# link
//# try: -O2
//# try: -O0
//# answers: no
//# says: no_such_function
char no_such_function(void);
int main(void) { return no_such_function(); }
