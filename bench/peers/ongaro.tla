------------------------------- MODULE ongaro -------------------------------
\* spec/models/ongaro.spec again, in TLA+, so that TLC can be measured on the same state space in the same run.
\* Bounds are a state constraint, as in the models of that file; the numbers are in ongaro.cfg.
EXTENDS Naturals, FiniteSets, Sequences, TLC

CONSTANTS Server, Value, MaxTerm, MaxLog, MaxMessages, MaxActive,
          Follower, Candidate, Leader, Nil, VoteRequest, VoteResponse, AppendRequest, AppendResponse

VARIABLES messages, term, role, votedFor, log, commitIndex, responded, granted, nextIndex, matchIndex
vars == <<messages, term, role, votedFor, log, commitIndex, responded, granted, nextIndex, matchIndex>>

votes == <<responded, granted>>
leading == <<nextIndex, matchIndex>>
Quorum == {q \in SUBSET Server : 2 * Cardinality(q) > Cardinality(Server)}
LastTerm(l) == IF Len(l) = 0 THEN 0 ELSE l[Len(l)].term
Min(a, b) == IF a < b THEN a ELSE b
Max(set) == CHOOSE x \in set : \A y \in set : x >= y

More(m, bag) == IF m \in DOMAIN bag THEN [bag EXCEPT ![m] = @ + 1] ELSE bag @@ (m :> 1)
Less(m, bag) == IF bag[m] <= 1 THEN [x \in DOMAIN bag \ {m} |-> bag[x]] ELSE [bag EXCEPT ![m] = @ - 1]
Send(m) == messages' = More(m, messages)
Discard(m) == messages' = Less(m, messages)
Reply(r, m) == messages' = Less(m, More(r, messages))

Init == /\ messages = [m \in {} |-> 0]
        /\ term = [s \in Server |-> 1]
        /\ role = [s \in Server |-> Follower]
        /\ votedFor = [s \in Server |-> Nil]
        /\ log = [s \in Server |-> <<>>]
        /\ commitIndex = [s \in Server |-> 0]
        /\ responded = [s \in Server |-> {}]
        /\ granted = [s \in Server |-> {}]
        /\ nextIndex = [s \in Server |-> [t \in Server |-> 1]]
        /\ matchIndex = [s \in Server |-> [t \in Server |-> 0]]

Restart(s) == /\ role' = [role EXCEPT ![s] = Follower]
              /\ responded' = [responded EXCEPT ![s] = {}]
              /\ granted' = [granted EXCEPT ![s] = {}]
              /\ nextIndex' = [nextIndex EXCEPT ![s] = [t \in Server |-> 1]]
              /\ matchIndex' = [matchIndex EXCEPT ![s] = [t \in Server |-> 0]]
              /\ commitIndex' = [commitIndex EXCEPT ![s] = 0]
              /\ UNCHANGED <<messages, term, votedFor, log>>

Timeout(s) == /\ role[s] \in {Follower, Candidate}
              /\ role' = [role EXCEPT ![s] = Candidate]
              /\ term' = [term EXCEPT ![s] = @ + 1]
              /\ votedFor' = [votedFor EXCEPT ![s] = Nil]
              /\ responded' = [responded EXCEPT ![s] = {}]
              /\ granted' = [granted EXCEPT ![s] = {}]
              /\ UNCHANGED <<messages, log, commitIndex, leading>>

RequestVote(s, t) == /\ role[s] = Candidate
                     /\ t \notin responded[s]
                     /\ Send([type |-> VoteRequest, term |-> term[s], lastTerm |-> LastTerm(log[s]),
                              lastIndex |-> Len(log[s]), from |-> s, to |-> t])
                     /\ UNCHANGED <<term, role, votedFor, log, commitIndex, votes, leading>>

BecomeLeader(s) == /\ role[s] = Candidate
                   /\ granted[s] \in Quorum
                   /\ role' = [role EXCEPT ![s] = Leader]
                   /\ nextIndex' = [nextIndex EXCEPT ![s] = [t \in Server |-> Len(log[s]) + 1]]
                   /\ matchIndex' = [matchIndex EXCEPT ![s] = [t \in Server |-> 0]]
                   /\ UNCHANGED <<messages, term, votedFor, log, commitIndex, votes>>

ClientRequest(s, v) == /\ role[s] = Leader
                       /\ log' = [log EXCEPT ![s] = Append(@, [term |-> term[s], value |-> v])]
                       /\ UNCHANGED <<messages, term, role, votedFor, commitIndex, votes, leading>>

AppendEntries(s, t) ==
    /\ s /= t
    /\ role[s] = Leader
    /\ LET prev == nextIndex[s][t] - 1
           prevTerm == IF prev > 0 THEN log[s][prev].term ELSE 0
           last == Min(Len(log[s]), nextIndex[s][t])
       IN Send([type |-> AppendRequest, term |-> term[s], prevIndex |-> prev, prevTerm |-> prevTerm,
                entries |-> SubSeq(log[s], nextIndex[s][t], last), commit |-> Min(commitIndex[s], last),
                from |-> s, to |-> t])
    /\ UNCHANGED <<term, role, votedFor, log, commitIndex, votes, leading>>

AdvanceCommitIndex(s) ==
    /\ role[s] = Leader
    /\ LET agreed == {i \in 1..Len(log[s]) : {s} \cup {t \in Server : matchIndex[s][t] >= i} \in Quorum}
       IN commitIndex' = [commitIndex EXCEPT ![s] =
              IF agreed /= {} /\ log[s][Max(agreed)].term = term[s] THEN Max(agreed) ELSE @]
    /\ UNCHANGED <<messages, term, role, votedFor, log, votes, leading>>

OnVoteRequest(s, m) ==
    LET upToDate == \/ m.lastTerm > LastTerm(log[s])
                    \/ m.lastTerm = LastTerm(log[s]) /\ m.lastIndex >= Len(log[s])
        grant == m.term = term[s] /\ upToDate /\ votedFor[s] \in {Nil, m.from}
    IN /\ m.term <= term[s]
       /\ votedFor' = IF grant THEN [votedFor EXCEPT ![s] = m.from] ELSE votedFor
       /\ Reply([type |-> VoteResponse, term |-> term[s], grant |-> grant, from |-> s, to |-> m.from], m)
       /\ UNCHANGED <<term, role, log, commitIndex, votes, leading>>

OnVoteResponse(s, m) ==
    /\ m.term = term[s]
    /\ responded' = [responded EXCEPT ![s] = @ \cup {m.from}]
    /\ granted' = IF m.grant THEN [granted EXCEPT ![s] = @ \cup {m.from}] ELSE granted
    /\ Discard(m)
    /\ UNCHANGED <<term, role, votedFor, log, commitIndex, leading>>

OnAppendRequest(s, m) ==
    LET matches == \/ m.prevIndex = 0
                   \/ m.prevIndex > 0 /\ m.prevIndex <= Len(log[s]) /\ m.prevTerm = log[s][m.prevIndex].term
        index == m.prevIndex + 1
        answer(success, matched) ==
            Reply([type |-> AppendResponse, term |-> term[s], success |-> success, match |-> matched,
                   from |-> s, to |-> m.from], m)
    IN /\ m.term <= term[s]
       /\ \/ /\ m.term < term[s] \/ (m.term = term[s] /\ role[s] = Follower /\ ~matches)
             /\ answer(FALSE, 0)
             /\ UNCHANGED <<term, role, votedFor, log, commitIndex, votes, leading>>
          \/ /\ m.term = term[s] /\ role[s] = Candidate
             /\ role' = [role EXCEPT ![s] = Follower]
             /\ UNCHANGED <<messages, term, votedFor, log, commitIndex, votes, leading>>
          \/ /\ m.term = term[s] /\ role[s] = Follower /\ matches
             /\ \/ /\ m.entries = <<>> \/ (m.entries /= <<>> /\ Len(log[s]) >= index /\ log[s][index].term = m.entries[1].term)
                   /\ commitIndex' = [commitIndex EXCEPT ![s] = m.commit]
                   /\ answer(TRUE, m.prevIndex + Len(m.entries))
                   /\ UNCHANGED <<term, role, votedFor, log, votes, leading>>
                \/ /\ m.entries /= <<>> /\ Len(log[s]) >= index
                   /\ log[s][index].term /= m.entries[1].term
                   /\ log' = [log EXCEPT ![s] = SubSeq(@, 1, Len(@) - 1)]
                   /\ UNCHANGED <<messages, term, role, votedFor, commitIndex, votes, leading>>
                \/ /\ m.entries /= <<>> /\ Len(log[s]) = m.prevIndex
                   /\ log' = [log EXCEPT ![s] = Append(@, m.entries[1])]
                   /\ UNCHANGED <<messages, term, role, votedFor, commitIndex, votes, leading>>

OnAppendResponse(s, m) ==
    /\ m.term = term[s]
    /\ IF m.success
       THEN /\ nextIndex' = [nextIndex EXCEPT ![s][m.from] = m.match + 1]
            /\ matchIndex' = [matchIndex EXCEPT ![s][m.from] = m.match]
       ELSE /\ nextIndex' = [nextIndex EXCEPT ![s][m.from] = IF @ > 1 THEN @ - 1 ELSE 1]
            /\ UNCHANGED matchIndex
    /\ Discard(m)
    /\ UNCHANGED <<term, role, votedFor, log, commitIndex, votes>>

UpdateTerm(s, m) == /\ m.term > term[s]
                    /\ term' = [term EXCEPT ![s] = m.term]
                    /\ role' = [role EXCEPT ![s] = Follower]
                    /\ votedFor' = [votedFor EXCEPT ![s] = Nil]
                    /\ UNCHANGED <<messages, log, commitIndex, votes, leading>>

DropStale(s, m) == m.term < term[s] /\ Discard(m) /\ UNCHANGED <<term, role, votedFor, log, commitIndex, votes, leading>>

Receive(m) == \/ UpdateTerm(m.to, m)
              \/ m.type = VoteRequest /\ OnVoteRequest(m.to, m)
              \/ m.type = VoteResponse /\ (DropStale(m.to, m) \/ OnVoteResponse(m.to, m))
              \/ m.type = AppendRequest /\ OnAppendRequest(m.to, m)
              \/ m.type = AppendResponse /\ (DropStale(m.to, m) \/ OnAppendResponse(m.to, m))

Duplicate(m) == Send(m) /\ UNCHANGED <<term, role, votedFor, log, commitIndex, votes, leading>>
Drop(m) == Discard(m) /\ UNCHANGED <<term, role, votedFor, log, commitIndex, votes, leading>>

Next == \/ \E s \in Server : Restart(s) \/ Timeout(s) \/ BecomeLeader(s) \/ AdvanceCommitIndex(s)
        \/ \E s, t \in Server : RequestVote(s, t) \/ AppendEntries(s, t)
        \/ \E s \in Server, v \in Value : ClientRequest(s, v)
        \/ \E m \in DOMAIN messages : Receive(m) \/ Duplicate(m) \/ Drop(m)

Spec == Init /\ [][Next]_vars

Bounded == /\ \A s \in Server : term[s] <= MaxTerm /\ Len(log[s]) <= MaxLog
           /\ Cardinality(DOMAIN messages) <= MaxMessages
           /\ \A m \in DOMAIN messages : messages[m] <= 1
           /\ Cardinality({s \in Server : role[s] /= Follower}) <= MaxActive
=============================================================================
