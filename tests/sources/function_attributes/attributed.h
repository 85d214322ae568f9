// What attributed.c has for function_attributes.c.
#pragma once
__attribute__((visibility("hidden"))) int hidden(int);
__attribute__((visibility("protected"))) int protected(int);
__attribute__((visibility("internal"))) int internal(int);
