import java.net.URL;
import java.util.Map;
import javax.xml.ws.BindingProvider;
import vna.sgk.goruntu_paylasim._1.*;

/** A client made of the WSDL alone: it calls every operation, and prints what it is told. */
public class LookupPeer {
    public static void main(String[] args) throws Exception {
        GoruntuPaylasim port = new GoruntuPaylasimService(new URL(args[0])).getGoruntuPaylasimPort();
        Map<String, Object> context = ((BindingProvider) port).getRequestContext();
        context.put(BindingProvider.USERNAME_PROPERTY, args[1]);
        context.put(BindingProvider.PASSWORD_PROPERTY, args[2]);
        int facility = Integer.parseInt(args[3]);
        String accession = args[4], patient = args[5], requester = args[6];

        GoruntuSorgulaGirisDVO find = new GoruntuSorgulaGirisDVO();
        find.setSaglikTesisKodu(facility);
        find.setAccession(accession);
        find.setHastaTCK(patient);
        GoruntuSorgulaCevapDVO found = port.goruntuSorgula(find);
        GoruntuBilgisiDVO images = found.getGoruntuBilgileri().get(0);
        System.out.println("sorgula " + found.getSonucKodu() + " " + found.isGoruntuVarMi() + " "
            + images.getStudyInstanceUID() + " " + images.getModality() + " " + images.getSeriSayisi());

        GoruntuListeleGirisDVO list = new GoruntuListeleGirisDVO();
        list.setSaglikTesisKodu(facility);
        list.setHastaTCK(patient);
        GoruntuListeleCevapDVO listed = port.goruntuListele(list);
        System.out.println("listele " + listed.getSonucKodu() + " " + listed.getToplam());

        GoruntuLinkiAlGirisDVO link = new GoruntuLinkiAlGirisDVO();
        link.setSaglikTesisKodu(facility);
        link.setAccession(accession);
        link.setHastaTCK(patient);
        link.setIsteyenTCK(requester);
        link.setKullanimSayisi(2);
        GoruntuLinkiAlCevapDVO made = port.goruntuLinkiAl(link);
        System.out.println("link " + made.getSonucKodu() + " " + made.getUrl().contains("/l/"));

        AccessionDogrulaGirisDVO verify = new AccessionDogrulaGirisDVO();
        verify.setSaglikTesisKodu(facility);
        verify.setSutKodu("804000");
        AccessionDogrulaCevapDVO verified = port.accessionDogrula(verify);
        System.out.println("dogrula " + verified.getSonucKodu() + " " + verified.isUygun());

        MukerrerSorgulaGirisDVO repeat = new MukerrerSorgulaGirisDVO();
        repeat.setSaglikTesisKodu(facility);
        repeat.setHastaTCK(patient);
        repeat.setSutKodu("804000");
        repeat.setIslemTarihi("01.12.2026");
        MukerrerSorgulaCevapDVO repeated = port.mukerrerSorgula(repeat);
        System.out.println("mukerrer " + repeated.getSonucKodu() + " " + repeated.isMukerrer() + " "
            + repeated.getOncekiTetkikler().get(0).getKurumKodu());
    }
}
