// Calls that must not remain.
//# try: -O0
//# try: -O2
//# answers: no
//# says: code_calls.c:8:20: error: call to 'never' declared with 'error' attribute: not this
//# says: code_calls.c:9:21: warning: call to 'rather_not' declared with 'warning' attribute: nor this
void never(void) __attribute__((error("not this"))), rather_not(void) __attribute__((warning("nor this")));
void calls(void) { never(); }
void warned(void) { rather_not(); }
