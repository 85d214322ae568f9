; Resolvers of indirect functions stay, with what they call; local indirect functions are kept for the import table.
source_filename = "indirect.c"
target triple = "x86_64-pc-linux-gnu"
@own = internal ifunc i32 (i32), ptr @resolver
@second = ifunc i32 (i32), ptr @other_name
@other_name = internal alias ptr (), ptr @other_resolver

define internal ptr @resolver() {
  %one = call i1 @decide()
  %found = select i1 %one, ptr @first, ptr @user
  ret ptr %found
}
define internal ptr @other_resolver() { ret ptr @first }
define internal i1 @decide() { ret i1 true }
define i32 @first(i32 %x) { ret i32 %x }
define i32 @user(i32 %x) align 64 { %y = call i32 @own(i32 %x) ret i32 %y }
