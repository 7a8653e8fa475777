// Sends the signals of one scenario: causes NAME. It makes a scratch cgroup (cgroup v1 for memory) and removes it.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <signal.h>
#include <errno.h>
#include <sched.h>
#include <fcntl.h>
#include <time.h>
#include <pthread.h>
#include <sys/wait.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/ptrace.h>
#include <sys/mman.h>
#include <sys/mount.h>
static pid_t sl(const char*n){pid_t p=fork();if(!p){prctl(PR_SET_NAME,n);for(;;)pause();}usleep(50000);return p;}
static void w(const char*t,pid_t p){int s;if(waitpid(p,&s,0)<0){perror("wait");return;}if(WIFSIGNALED(s))printf("%-22s pid %d: signal %d\n",t,p,WTERMSIG(s));else printf("%-22s pid %d: exit %d\n",t,p,WEXITSTATUS(s));fflush(stdout);}
static void wr(const char*f,const char*s){int fd=open(f,O_WRONLY);if(fd<0||write(fd,s,strlen(s))<0)perror(f);close(fd);}
static void*spin(void*a){for(;;)pause();}
static int nsinit(void*a){ int mode=(long)a; prctl(PR_SET_NAME,"ns-init"); for(int i=0;i<3;i++){pid_t p=fork();if(!p){char n[16];sprintf(n,"ns-child%d",i);prctl(PR_SET_NAME,n);signal(SIGTERM,SIG_IGN);if(mode==3&&i==0){usleep(100000);kill(-1,9);usleep(50000);_exit(0);} for(;;)pause();}} usleep(100000);
  if(mode==0) _exit(3); if(mode==1) for(;;)pause(); if(mode==2){kill(-1,9);usleep(50000);_exit(4);} if(mode==3){for(;;){if(wait(0)<0)_exit(5);}} return 0;}
static char stk[65536];
int main(int c,char**v){ setvbuf(stdout,0,_IOLBF,0); const char*o=c>1?v[1]:"all"; int all=!strcmp(o,"all"); pid_t p;
#define S(n) if(all||!strcmp(o,n)) if(printf("== %s\n",n),1)
 S("kill"){p=sl("v-kill");kill(p,9);w("kill",p);}
 S("term"){p=sl("v-term");kill(p,15);w("term",p);}
 S("tkill"){p=sl("v-tkill");syscall(SYS_tkill,p,9);w("tkill",p);}
 S("pidfd"){p=sl("v-pidfd");int fd=syscall(SYS_pidfd_open,p,0);syscall(SYS_pidfd_send_signal,fd,9,0,0);w("pidfd_send_signal",p);}
 S("thread-of"){p=fork();if(!p){prctl(PR_SET_NAME,"v-mt");pthread_t t;for(int i=0;i<3;i++)pthread_create(&t,0,spin,0);pause();}usleep(50000);kill(p,9);w("kill multithreaded",p);}
 S("self"){p=fork();if(!p){prctl(PR_SET_NAME,"v-self");raise(9);}w("raise(9)",p);}
 S("twice"){p=sl("v-twice");kill(p,9);kill(p,9);w("kill twice",p);}
 S("nspid1-exit"){p=clone(nsinit,stk+sizeof stk,CLONE_NEWPID|SIGCHLD,(void*)0);w("ns init exits 3",p);}
 S("pdeathsig"){int pi[2];pipe(pi);p=fork();if(!p){prctl(PR_SET_NAME,"pd-parent");pid_t q=fork();if(!q){prctl(PR_SET_NAME,"v-pdeath");prctl(PR_SET_PDEATHSIG,9);pause();}write(pi[1],&q,4);usleep(50000);_exit(7);}pid_t q;read(pi[0],&q,4);w("pdeathsig parent",p);usleep(50000);printf("child %d alive: %d\n",q,kill(q,0)==0);}
 S("rlimit-cpu"){p=fork();if(!p){prctl(PR_SET_NAME,"v-rlcpu");struct rlimit r={1,1};signal(SIGXCPU,SIG_IGN);setrlimit(RLIMIT_CPU,&r);for(;;);}w("RLIMIT_CPU hard",p);}
 S("timer"){p=fork();if(!p){prctl(PR_SET_NAME,"v-timer");timer_t t;struct sigevent e={.sigev_notify=SIGEV_SIGNAL,.sigev_signo=9};if(timer_create(CLOCK_MONOTONIC,&e,&t))perror("tc");struct itimerspec i={.it_value={0,1000000}};timer_settime(t,0,&i,0);pause();}w("timer SIGEV 9",p);}
 S("exitkill"){p=sl("v-exitkill");pid_t t=fork();if(!t){prctl(PR_SET_NAME,"tracer");ptrace(PTRACE_SEIZE,p,0,PTRACE_O_EXITKILL);_exit(0);}w("tracer",t);w("PTRACE_O_EXITKILL",p);}
 S("cgroupkill"){mkdir("/sys/fs/cgroup/unified/hsig",0755);p=sl("v-cgkill");pid_t q=sl("v-cgkill2");char b[32];sprintf(b,"%d",p);wr("/sys/fs/cgroup/unified/hsig/cgroup.procs",b);sprintf(b,"%d",q);wr("/sys/fs/cgroup/unified/hsig/cgroup.procs",b);wr("/sys/fs/cgroup/unified/hsig/cgroup.kill","1");w("cgroup.kill",p);w("cgroup.kill",q);usleep(20000);rmdir("/sys/fs/cgroup/unified/hsig");}
 S("oom"){mkdir("/sys/fs/cgroup/memory/hsig",0755);wr("/sys/fs/cgroup/memory/hsig/memory.limit_in_bytes","33554432");p=fork();if(!p){prctl(PR_SET_NAME,"v-oom");char b[32];sprintf(b,"%d",getpid());wr("/sys/fs/cgroup/memory/hsig/cgroup.procs",b);char*m=mmap(0,1<<28,3,MAP_PRIVATE|MAP_ANONYMOUS,-1,0);memset(m,1,1<<28);_exit(0);}w("memcg OOM",p);usleep(20000);rmdir("/sys/fs/cgroup/memory/hsig");}
 return 0;}
