; What assembly names: a local function that module assembly calls gets a stub; names in a body's assembly are imports;
; a body with unknown names or constants that are no numbers stays, and with it what must inline it.
source_filename = "assembly.c"
target triple = "x86_64-pc-linux-gnu"
module asm "from_module: jmp called_by_assembly"
@counter = internal global i32 0

define internal i32 @called_by_assembly(i32 %x) { ret i32 %x }
define internal i32 @called_by_body(i32 %x) { ret i32 %x }
define void @uses_known() {
  %a = call i32 @called_by_assembly(i32 1)
  %b = call i32 @called_by_body(i32 1)
  call void asm sideeffect "incl counter(%rip); call called_by_body", ""()
  ret void
}
define void @uses_unknown() { call void asm sideeffect "call unknown@PLT", ""() ret void }
define void @takes_symbol() { call void asm sideeffect "call ${0:P}", "i"(ptr @called_by_body) ret void }
define void @takes_number() { call void asm sideeffect "int $0", "i"(i32 3) ret void }
define internal void @always(ptr %x) alwaysinline { call void asm sideeffect "lea $0(%rip), %rax", "i"(ptr %x) ret void }
define void @inlines() { call void @always(ptr @counter) ret void }
