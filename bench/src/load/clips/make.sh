#!/bin/sh
# Makes the clips beside this file: faces that move and speak, drawn and synthesised by ffmpeg (Debian's,
# with libvpx, libopus and flite). Run it only to change them; the results are kept.
set -eu
cd "$(dirname "$0")"

# A head and shoulders before a wall, 320x180, two seconds, one key frame; the motion closes the loop. All
# begin anew when somebody joins, so each begins elsewhere in the motion.
picture() { # name, seconds into the motion, wall, shirt and hair as r:g:b
    name=$1 t="(T+$2)" wall=$3 shirt=$4 hair=$5
    part() { echo "$1" | cut -d: -f"$2"; }
    plane() { # which of r, g, b, and the skin's part of it
        x="(X-160-14*sin(PI*$t))" y="(Y-78-3*sin(2*PI*$t))"
        face="lt($x*$x/1100+$y*$y/1700,1)"
        top="lt($x*$x/1500+($y+10)*($y+10)/2100,1)*lt($y,-14)"
        body="lt(pow((X-160-7*sin(PI*$t))/82,2)+pow((Y-185)/66,2),1)"
        eye="lt(pow(abs($x)-13,2)/12+pow($y+6,2)/9,1)"
        mouth="lt($x*$x/130+pow($y-19,2)/(4+46*pow(sin(4*PI*$t),2)),1)"
        back="$(part "$wall" "$1")+24*sin(X/60+PI*$t)+20*sin(Y/45)"
        echo "if($eye+$mouth,40,if($top,$(part "$hair" "$1"),if($face,$2,if($body,$(part "$shirt" "$1"),$back))))"
    }
    ffmpeg -v error -y -f lavfi \
        -i "nullsrc=s=320x180:r=24:d=2,geq=r='$(plane 1 224)':g='$(plane 2 172)':b='$(plane 3 140)'" \
        -pix_fmt yuv420p -c:v libvpx -b:v 70k -g 1000 -auto-alt-ref 0 -lag-in-frames 0 -deadline best \
        -fflags +bitexact -flags:v +bitexact "$name.ivf"
}

# Speech in 20 ms frames of Opus, about 16 kbit/s; at a constant rate libopus would pad them, which the load
# does itself. Each frame: its level in dB below the loudest possible (a byte, RFC 6464), its length (a
# byte), itself.
speech() { # name, flite's voice, text
    ffmpeg -v error -y -f lavfi -i "flite=voice=$2:text='$3'" -ar 48000 -ac 1 -f s16le "$1.pcm"
    ffmpeg -v error -y -f s16le -ar 48000 -ac 1 -i "$1.pcm" -c:a libopus -b:a 16k -vbr constrained \
        -application voip -frame_duration 20 -fflags +bitexact -f ogg "$1.ogg"
    python3 - "$1" <<'PYTHON'
import math, struct, sys
name = sys.argv[1]
ogg, pcm = open(name + ".ogg", "rb").read(), open(name + ".pcm", "rb").read()
packets, at, part = [], 0, b""
while at < len(ogg):
    count = ogg[at + 26]
    sizes = ogg[at + 27 : at + 27 + count]
    at += 27 + count
    for size in sizes:
        part += ogg[at : at + size]
        at += size
        if size < 255:
            packets.append(part)
            part = b""
with open(name + ".opusclip", "wb") as out:
    # The first two packets are Ogg's headers.
    for number, packet in enumerate(packets[2:]):
        frame = pcm[number * 1920 : (number + 1) * 1920]
        samples = struct.unpack(f"<{len(frame) // 2}h", frame)
        power = sum(sample * sample for sample in samples) / max(1, len(samples)) / 32768**2
        level = 127 if power == 0 else min(127, max(0, round(-10 * math.log10(power))))
        out.write(bytes([level, len(packet)]) + packet)
PYTHON
    rm "$1.pcm" "$1.ogg"
}

picture blue 0 60:100:170 30:60:120 60:40:30
picture green 0.7 80:150:100 190:190:60 120:60:30
picture red 1.3 170:80:80 60:60:70 25:25:25
picture violet 0.4 120:80:160 220:120:60 200:170:110
picture amber 1.7 200:150:60 60:120:130 70:45:25
picture grey 1 110:115:125 160:50:70 150:150:150
speech kal kal "Good morning. Can everybody hear me? Then we can begin with the plan for today."
speech slt slt "Yes, I can hear you well. I have two small things, and one question for later."
speech rms rms "One, two, three, four, five, six, seven, eight, nine, ten. That is all from my side."
