/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The varlink interface, as everybody sees it: names here, text in
 * tests/unit/golden/service.varlink. Changes are additive only. A face holds two links: one for
 * events, one for calls (a link carries one call at a time).
 *
 *   List() -> (snapshot: Snapshot)
 *   Show(phone: string, ask: ?bool) -> (phone: Phone, problem: ?Problem)
 *     ask: a worker asks the phone first (nonces, name); the answer takes up to
 *     TIMING_PROBE_TOTAL. Without ask, problem says why the last question was not answered.
 *   Watch() more -> (event: Event)
 *     first an event of kind "snapshot" with all phones, then each change with the next seq
 *
 *   Diagnose(phone: ?string, says: ?string) -> (diagnoses: []Diagnosis)
 *     of one phone, or of all (and of the computer itself when none is here, or when a port without
 *     a phone has trouble); answers from memory. says: what the person sees on the phone's screen
 *     (doctor/diagnose.h, said_name())
 *   CheckTrust(phone: string) -> (phone: Phone, findings: []Finding)
 *     a worker looks (never pairs); the answer takes up to TIMING_TRUST_CHECK
 *   Plan(phone: ?string, product: ?string, goal: string, build: ?string, file: ?string)
 *     -> (plan: Plan)
 *     takes up to TIMING_PLAN if a firmware must be found. file: absolute path of an IPSW that the
 *     person brought. An erase's plan carries a token (doctor/consent.h)
 *   Start(the same, consent: ?string, confirm: ?string) -> (job: Job)
 *     refused (no-consent) if it would delete firmware that no Plan has named lately
 *     plans anew; an erase uses up the token. The reply comes when the job is in its journal
 *   Jobs() -> (jobs: []Job)                newest first
 *   Job(id: string) -> (job: Job)
 *   Cancel(id: string) -> (job: Job)
 *   Pause(id: string) -> (job: Job)        a download; what has come stays
 *   Resume(id: string) -> (job: Job)
 *   Answer(id: string, yes: bool, consent: ?string, confirm: ?string) -> (job: Job)
 *   Report(id: string) -> (report: object, text: string)
 *   KeepRecords(keep: ?bool) -> (kept: bool, records: int, lasting: bool)
 *     whether a copy of the pairing records is kept on the data partition; keep: it is to be, or
 * not
 *
 *   ListFirmware() -> (cache: FirmwareCache)     service/cache.h
 *   DropFirmware(file: string) -> (dropped: CachedFile)
 *   UseCache(use: string, internal: ?bool) -> (cache: FirmwareCache, disk: ?Disk)
 *     an absolute folder, the URL of a mirror, or "off"; outlives the service. Or a disk, by its
 *     name, /dev/NAME, uuid or label: it is mounted, which takes up to TIMING_DISK, and told as
 *     disk; internal: it may be one of this computer's own. It is unmounted by the next choice
 *   ListDisks() -> (disks: []Disk)          takes up to TIMING_DISK
 *
 *   LookAtComputer() -> (computer: Computer)
 *     a worker looks at the computer's own disks; the answer takes up to TIMING_HOST_LOOK. Each
 *     volume whose records may be moved carries a token (doctor/consent_move.h)
 *   MoveRecords(volume: string, consent: string, records: ?[]string) -> (moved: MovedRecords)
 *     records: UDIDs or files, absent all that were shown. Takes up to TIMING_HOST_MOVE
 *
 *   Diagnosis  (phone: ?Phone, findings: []Finding)
 *   Finding    doctor/diagnose.h, finding_to_json(): id severity title meaning next cost evidence
 *              ?doubt ?command ?codes[] ?code_names[] ?hints[] {id text keeps loses}
 *   Phone      also lights[] {light state evidence}: always usb, mux, link; ?failed_light. Every
 *              change of them is an event "changed"
 *   Plan       goal label_goal lost data phone (key) label ?ecid ?udid ?product ?board mode
 *              ?firmware ?signed (what Apple says: doctor/signing.h)
 *              ?variant (name) ?erases ?erase_variant need_bytes room {folder lasting
 *              free_bytes ram_free_bytes ?cache ?cache_free_bytes} ?drops[] {file label bytes}
 *              warnings[] {id text} steps[] {kind label data optional}
 *              network (bool: it needs the internet) ?confirm_hint ("the last four characters of
 *              the serial number") ?token ?token_seconds
 *   Job        id state goal phone label created_ms ?ended_ms step (index) steps[] {kind label
 *              state attempt guidance? error?} ?progress (doctor/progress.h) ?awaiting ("phone")
 *              ?question {id text plan} ?error (Problem and `next`) ?touched (bool) data (what has
 *              become of it so far: kept, at-risk, erased) ?guidance (what the person is to do now)
 *              ?trust (while it pairs) ?proof {name serial_number capacity_bytes version build
 *              media_entries} folder exit (of an ended job: the exit code of DESIGN 12)
 *   Watch also tells "job" (job: Job; every change, progress at most every TIMING_PROGRESS), and
 *   the snapshot holds jobs[]: those that have not ended, and the last that has of each phone.
 *
 *   Names of types and methods share one space, so in the IDL the type Plan is PlanCard and the
 * type Job is JobRecord. Of a job that asks, Job() gives question.plan a token, as Plan() does.
 *
 *   errors: NoSuchPhone(wanted), AmbiguousPhone(wanted, matches[]),
 *     NotAnswered(wanted, kind, origin, code, text), NoSuchJob(id),
 *     Refused(kind, origin, code, text, ?next): any other reason, kind as in base/error.h
 *
 * Words with hyphens ("port-dfu", "mux-up") are strings, because varlink's enums cannot hold them;
 * the comments of the interface list them.
 */
#include <systemd/sd-varlink-idl.h>

#define INTERFACE_NAME           "org.idevicerescue"
#define INTERFACE_SOCKET_DEFAULT "/run/idevicerescue/socket"
/* Environment variable and command-line option that name another socket. */
#define INTERFACE_SOCKET_ENV "IDEVICERESCUE_SOCKET"

#define INTERFACE_METHOD_LIST  INTERFACE_NAME ".List"
#define INTERFACE_METHOD_SHOW  INTERFACE_NAME ".Show"
#define INTERFACE_METHOD_WATCH INTERFACE_NAME ".Watch"

#define INTERFACE_METHOD_DIAGNOSE    INTERFACE_NAME ".Diagnose"
#define INTERFACE_METHOD_CHECK_TRUST INTERFACE_NAME ".CheckTrust"
#define INTERFACE_METHOD_PLAN        INTERFACE_NAME ".Plan"
#define INTERFACE_METHOD_START       INTERFACE_NAME ".Start"
#define INTERFACE_METHOD_JOBS        INTERFACE_NAME ".Jobs"
#define INTERFACE_METHOD_JOB         INTERFACE_NAME ".Job"
#define INTERFACE_METHOD_CANCEL      INTERFACE_NAME ".Cancel"
#define INTERFACE_METHOD_PAUSE       INTERFACE_NAME ".Pause"
#define INTERFACE_METHOD_RESUME      INTERFACE_NAME ".Resume"
#define INTERFACE_METHOD_ANSWER      INTERFACE_NAME ".Answer"
#define INTERFACE_METHOD_REPORT      INTERFACE_NAME ".Report"

#define INTERFACE_METHOD_LOOK_AT_COMPUTER INTERFACE_NAME ".LookAtComputer"
#define INTERFACE_METHOD_MOVE_RECORDS     INTERFACE_NAME ".MoveRecords"
#define INTERFACE_METHOD_KEEP_RECORDS     INTERFACE_NAME ".KeepRecords"
#define INTERFACE_METHOD_LIST_FIRMWARE    INTERFACE_NAME ".ListFirmware"
#define INTERFACE_METHOD_DROP_FIRMWARE    INTERFACE_NAME ".DropFirmware"
#define INTERFACE_METHOD_USE_CACHE        INTERFACE_NAME ".UseCache"
#define INTERFACE_METHOD_LIST_DISKS       INTERFACE_NAME ".ListDisks"

#define INTERFACE_ERROR_NO_SUCH_PHONE   INTERFACE_NAME ".NoSuchPhone"
#define INTERFACE_ERROR_AMBIGUOUS_PHONE INTERFACE_NAME ".AmbiguousPhone"
#define INTERFACE_ERROR_NOT_ANSWERED    INTERFACE_NAME ".NotAnswered"
#define INTERFACE_ERROR_NO_SUCH_JOB     INTERFACE_NAME ".NoSuchJob"
#define INTERFACE_ERROR_REFUSED         INTERFACE_NAME ".Refused"

extern const sd_varlink_interface vl_interface_org_idevicerescue;
