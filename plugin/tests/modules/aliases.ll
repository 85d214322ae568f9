; An alias of a function that leaves becomes another name of its stub; other aliases are imports.
source_filename = "aliases.c"
target triple = "x86_64-pc-linux-gnu"
@data = global i32 1
@data_alias = hidden alias i32, ptr @data
@function_alias = alias void (), ptr @function
@weak_alias = weak alias void (), ptr @function

define void @function() { ret void }
define void @user() {
  call void @function_alias()
  store i32 2, ptr @data_alias
  ret void
}
