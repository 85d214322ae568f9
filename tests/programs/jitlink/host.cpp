// Links object files with LLVM's JIT linker (JITLink) at given addresses, runs nothing, and prints the bytes.
//
// Reads lines: `section NAME ADDRESS`, `symbol NAME ADDRESS` (of what the object lacks), `extra ADDRESS` (for sections
// without an address: GOT and stubs), `object PATH`, which links with what was said since the last. Writes for each block
// `block SECTION ADDRESS HEX`, then `end`.
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "llvm/ADT/StringExtras.h"
#include "llvm/ExecutionEngine/JITLink/ELF_x86_64.h"
#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace llvm::jitlink;
using orc::ExecutorAddr;

static ExitOnError check("jitlink host: ");

struct Job {
    std::map<std::string, uint64_t> sections, symbols;
    uint64_t extra = 0;
};

// Gives blocks the job's addresses; prints them where a memory manager would make them executable.
class Manager : public JITLinkMemoryManager {
    Job &job;

    struct Printing : InFlightAlloc {
        LinkGraph &graph;
        explicit Printing(LinkGraph &graph) : graph(graph) {}
        void abandon(OnAbandonedFunction done) override { done(Error::success()); }
        void finalize(OnFinalizedFunction done) override {
            for (Section &section : graph.sections())
                for (Block *block : section.blocks())
                    if (!block->isZeroFill() && isLoaded(section))
                        std::cout << "block " << section.getName().str() << ' ' << block->getAddress().getValue()
                                  << ' ' << toHex(toStringRef(block->getAlreadyMutableContent())) << '\n';
            done(FinalizedAlloc(ExecutorAddr(1)));
        }
        static StringRef toStringRef(ArrayRef<char> bytes) { return StringRef(bytes.data(), bytes.size()); }
    };

    static bool isLoaded(Section &section) { return section.getMemLifetime() != orc::MemLifetime::NoAlloc; }

    void place(LinkGraph &graph, Section &section) {
        auto known = job.sections.find(section.getName().str());
        uint64_t end = 0;
        for (Block *block : section.blocks()) {
            if (!block->isZeroFill())
                (void)block->getMutableContent(graph);
            if (!isLoaded(section))
                continue;
            if (known == job.sections.end()) {
                job.extra = alignTo(job.extra, block->getAlignment());
                block->setAddress(ExecutorAddr(job.extra));
                job.extra += block->getSize();
            } else if (block->getAddress().getValue() < 1ull << 63) {
                // What it had was its place in the section.
                end = std::max(end, block->getAddress().getValue() + block->getSize());
                block->setAddress(block->getAddress() + known->second);
            }
        }
        // The terminator that JITLink adds to unwind information comes last.
        if (known != job.sections.end())
            for (Block *block : section.blocks())
                if (block->getAddress().getValue() >= 1ull << 63)
                    block->setAddress(ExecutorAddr(known->second + end));
    }

public:
    explicit Manager(Job &job) : job(job) {}
    void allocate(const JITLinkDylib *, LinkGraph &graph, OnAllocatedFunction done) override {
        for (Section &section : graph.sections())
            place(graph, section);
        done(std::make_unique<Printing>(graph));
    }
    void deallocate(std::vector<FinalizedAlloc> all, OnDeallocatedFunction done) override {
        for (FinalizedAlloc &one : all)
            one.release();
        done(Error::success());
    }
};

class Context : public JITLinkContext {
    Job &job;
    Manager manager;

public:
    explicit Context(Job &job) : JITLinkContext(nullptr), job(job), manager(job) {}
    JITLinkMemoryManager &getMemoryManager() override { return manager; }
    void notifyFailed(Error error) override { check(std::move(error)); }
    Error notifyResolved(LinkGraph &) override { return Error::success(); }
    void notifyFinalized(JITLinkMemoryManager::FinalizedAlloc alloc) override { alloc.release(); }
    LinkGraphPassFunction getMarkLivePass(const Triple &) const override { return markAllSymbolsLive; }
    void lookup(const LookupMap &names, std::unique_ptr<JITLinkAsyncLookupContinuation> then) override {
        AsyncLookupResult found;
        for (auto &[name, flags] : names) {
            auto known = job.symbols.find((*name).str());
            if (known == job.symbols.end())
                check(createStringError("nothing was said of " + *name));
            found[name] = {ExecutorAddr(known->second), JITSymbolFlags::Exported};
        }
        then->run(std::move(found));
    }
};

int main() {
    auto pool = std::make_shared<orc::SymbolStringPool>();
    Job job;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string what, name;
        words >> what;
        if (what == "extra") {
            words >> job.extra;
            continue;
        }
        words >> name;
        if (what == "section") {
            words >> job.sections[name];
        } else if (what == "symbol") {
            words >> job.symbols[name];
        } else if (what == "object") {
            auto buffer = check(errorOrToExpected(MemoryBuffer::getFile(name)));
            auto graph = check(createLinkGraphFromELFObject_x86_64(buffer->getMemBufferRef(), pool));
            link_ELF_x86_64(std::move(graph), std::make_unique<Context>(job));
            std::cout << "end" << std::endl;
            job = Job();
        }
    }
}
