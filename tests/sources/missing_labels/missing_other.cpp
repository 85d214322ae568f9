// The second unit of missing_labels.cpp.
int other() { return 3; }
