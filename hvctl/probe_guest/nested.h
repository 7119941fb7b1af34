/* The guest as a hypervisor of its own, on SVM and on VMX: what its checks and its measurements share. */

#define NESTED_MSR 0xC0000100       /* FS.base, which KVM lets a guest's guest read: see intercept() */
#define HAS_VMX (1u << 5)           /* 1.ECX */
#define HAS_EVMCS (1u << 14)        /* 0x40000004.EAX */
#define HAS_DIRECT_FLUSH (1u << 17) /* 0x4000000A.EAX */
#define HAS_MSR_BITMAP (1u << 19)
#define MSR_VP_ASSIST_PAGE 0x40000073
#define ALL_CLEAN 0xDFFF            /* all groups of fields but the host's pointers, of which the stack's changes */
#define VMX_CLEAN_EVENT (1u << 5)   /* what is injected at the entry */
#define VMX_CLEAN_BITMAP (1u << 1)  /* TLFS, "Enlightened MSR Bitmap": the clean bits that a hypervisor may use */
#define SVM_CLEAN_BITMAP (1u << 31)
#define INTERRUPTS_ON (1u << 9)     /* RFLAGS.IF */
#define NESTED_FEATURES 32          /* of the VP assist page (TLFS), an offset in bytes: bit 0 allows direct flushes */
#define ALL_PROCESSORS_AND_SPACES 3 /* of what is to be flushed */
enum { DIRECT_FLUSH = 1, MSR_BITMAP_OF_ITS_OWN = 2 }; /* enlightenments */

struct hypervisor {
    int (*start)(void); /* whether it could */
    void (*stop)(void);
    /* Why a guest has ended that is started, or started again, with these clean bits; FAULTED if it could not be. The
     * guest 0 goes on where it was. */
    u64 (*run)(const u8 *guest, int again, u32 clean);
    u64 (*inspect)(void); /* at what has to be known to handle the exit */
    void (*enlighten)(u32 enlightenments);
    void (*intercept)(void); /* the guest's reads of NESTED_MSR */
    void (*let_interrupts_exit)(void); /* its own; and the guest takes those that are injected */
    void (*inject)(u32 vector);        /* at the next entry */
    void (*flush)(void);               /* the guest's TLB, at the next entry */
    const u8 *reads, *flushes, *flushed;
    u32 unchanged; /* the clean bits of a guest of which nothing has changed */
};

extern const struct hypervisor vmx, svm;
extern u8 assist_page[PAGE], partition_page[PAGE];

/* vmx.c */
int use_plain(void);
int use_evmcs(void);
void leave_evmcs(void);
void spoil_clean_field(int spoilt);

/* enter.S: guests, their interrupt table and stack; RAX, as the last one has left it and the next one gets it; the
 * flushes that are left to do, and the interrupts that were handled. */
extern const u8 nested_exits[], nested_halt[], nested_sleeps[], nested_woken[], nested_calls[];
extern const u8 vmx_reads[], vmx_flushes[], vmx_flushed[], svm_reads[], svm_flushes[], svm_flushed[];
extern const u8 nested_gates[], nested_stack_end[];
extern u64 nested_rax, nested_input[8];
extern volatile int nested_left, nested_handled;
